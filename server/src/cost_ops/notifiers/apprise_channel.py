"""Telling people through any of the services that the apprise library knows; it is an extra.

apprise makes its own connections, reads files that a URL names, and some of its services wait inside a call. So it
runs in a process of its own that can reach public addresses only and open nothing (`apprise_process`), and that is
ended when its time is up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem, Unavailable
from cost_ops.interfaces.notifications import Answer, Checked, Message, Target
from cost_ops.notifiers.addresses import SETTING
from cost_ops.notifiers.notices import text_of
from cost_ops.notifiers.posting import printable
from cost_ops.notifiers.rendering import render

MAX_URL_LENGTH = 2000
TIMEOUT_SECONDS = 9.5
INSTALL = "pip install 'cost-ops-server[notify]'"
_EXAMPLE = "discord://webhook_id/webhook_token"
_PROCESS = "cost_ops.notifiers.apprise_process"
_PASSED_ON = frozenset(
    {"PATH", "LANG", "LC_ALL", "PYTHONPATH", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
)


class AppriseSender:
    """Hands messages to the service that a channel's apprise `url` names."""

    fields = frozenset({"url"})

    def __init__(
        self, *, private: bool = False, timeout_seconds: float = TIMEOUT_SECONDS, module: str = "apprise"
    ) -> None:
        """`private` allows addresses that are not public; `module` is what has to be installed."""
        self._private = private
        self._timeout = timeout_seconds
        self._module = module

    def check(self, document: Mapping[str, Any]) -> Checked:
        """The URL, if apprise understands it. Raises InvalidInput; Unavailable where apprise does not answer."""
        if find_spec(self._module) is None:
            message = f"channels of kind apprise need a library that is not installed here: {INSTALL}"
            raise InvalidInput([Problem("kind", "not_installed", message)])
        url = document.get("url")
        if url is None or url == "":
            message = f"url is required: an apprise URL such as {_EXAMPLE}"
            raise InvalidInput([Problem("url", "missing_required_field", message)])
        if not isinstance(url, str) or len(url) > MAX_URL_LENGTH or not url.isprintable() or "://" not in url:
            message = f"url must be an apprise URL of at most {MAX_URL_LENGTH:,} characters, such as {_EXAMPLE}"
            raise InvalidInput([Problem("url", "invalid_url", message)])
        told = self._ask({"do": "check", "url": url})
        if not told.get("ok"):
            reason = str(told.get("reason") or "")
            if not reason:
                raise Unavailable(str(told.get("error")), 5)
            raise InvalidInput([Problem("url", reason, f"url {told.get('error')}")])
        return Checked({"service": str(told.get("service", ""))[:100]}, {"url": url})

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Hand one message to the service."""
        if find_spec(self._module) is None:
            return Answer(False, error=f"the apprise library is not installed here: {INSTALL}")
        notice = render(messages)
        told = self._ask(
            {
                "do": "send",
                "url": str(target.secret.get("url", "")),
                "title": without_mentions(notice.title),
                "body": without_mentions(text_of(notice)),
                "severity": str(notice.severity),
            }
        )
        return Answer(told.get("ok") is True, error=printable(str(told.get("error") or ""))[:300])

    def _ask(self, question: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the process says; its own end is an answer too. The URL goes by pipe: it is in no list of processes."""
        asked = json.dumps({**question, "private": self._private, "setting": SETTING}).encode()
        environment = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
        try:
            done = subprocess.run(  # noqa: S603 (our own interpreter and module)
                [sys.executable, "-P", "-m", _PROCESS],
                input=asked,
                capture_output=True,
                timeout=self._timeout,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"ok": False, "error": f"no answer within {self._timeout:g} seconds"}
        except OSError as error:
            return {"ok": False, "error": f"the process for apprise does not start: {error}"}
        try:
            told = json.loads(done.stdout)
        except ValueError:
            return {"ok": False, "error": f"the process for apprise ended with {done.returncode} and no answer"}
        return told if isinstance(told, dict) else {"ok": False, "error": "the process for apprise answers nonsense"}


def without_mentions(text: str) -> str:
    """Text in which nothing calls on people in a service that reads marks such as @everyone or <!channel>.

    >>> without_mentions("@everyone <!channel>").encode("ascii", "replace")
    b'@?everyone <?!channel>'
    """
    return text.replace("@", "@\u200b").replace("<", "<\u200b")
