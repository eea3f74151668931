"""The process that apprise runs in: it reads one question on its standard input, answers on its standard output, ends.

Before apprise is asked anything a guard is set that cannot be taken away: connections go to public addresses only,
whatever a name resolves to or a server redirects to; no file is opened but those of Python and of certificates; no
program is started.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
from ipaddress import ip_address
from typing import Any

from cost_ops.notifiers.addresses import is_public

INSTEAD = {
    "mailto": "is e-mail: make a channel of kind email, which uses this installation's own mail server",
    "mailtos": "is e-mail: make a channel of kind email, which uses this installation's own mail server",
}
_HERE_ONLY = frozenset({"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}
_STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"})
_SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_SYSTEM = ("/etc/ssl", "/etc/pki", "/usr/share", "/usr/lib", "/dev/null", "/dev/urandom", "/etc/mime.types")
_SECRET_PART = re.compile(r"[^/?&=:@,;#]{6,}")


class Guarded(OSError):
    """Something that the guard does not let through."""


class Guard:
    """Looks at everything the process does. `private` allows addresses that are not public."""

    def __init__(self, *, private: bool) -> None:
        """`refused` keeps why something was: a service says only that it could not do it."""
        self.refused: list[str] = []
        self._private = private
        self._roots = tuple(os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *_SYSTEM))
        self._code = tuple(os.path.realpath(path) for path in sys.path if path)
        named = (os.environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
        self._given = {os.path.realpath(path) for path in named if path}

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raises Guarded for what is not let through."""
        try:
            if event == "open":
                self._may_open(arguments)
            elif event in _SENDS:
                _may_reach(arguments[1], private=self._private)
            elif event in _STARTS or event.startswith("syslog."):
                raise Guarded("it would start a program or write to this machine's log")
        except Guarded as error:
            self.refused.append(str(error))
            raise

    def _may_open(self, arguments: tuple[Any, ...]) -> None:
        path, _mode, flags = arguments
        if not isinstance(path, str | bytes):
            return  # a descriptor that is open
        name = os.path.realpath(os.fsdecode(path))
        if name != os.devnull and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise Guarded("it would write a file")
        code = name.startswith(self._code) and name.endswith((".py", ".pyc"))
        if not (
            code or name in self._given or any(name == root or name.startswith(f"{root}/") for root in self._roots)
        ):
            raise Guarded("it would read a file of this machine")


def _may_reach(address: Any, *, private: bool) -> None:
    if address is None:
        return  # sent on a connection that was checked
    if not isinstance(address, tuple):
        raise Guarded("it would use a socket of this machine")
    host = str(address[0])
    try:
        ip_address(host.partition("%")[0])
    except ValueError as error:
        raise Guarded("it would connect to a name that was not looked up") from error
    if not private and not is_public(host):
        raise Guarded(f"it leads to the address {host}, which is not public")


class _Heard(logging.Handler):
    """Keeps what apprise warns of: its functions say only whether all went well."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.said.append(record.getMessage())


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What apprise makes of a question: `do` is check or send."""
    import apprise

    heard = _Heard()
    logging.getLogger("apprise").addHandler(heard)
    logging.getLogger("apprise").propagate = False
    url = str(question["url"])
    if (unfit := _unfit(url)) is not None:
        return unfit
    asset = apprise.AppriseAsset(
        app_id="LLM Cost Ops", app_desc="LLM Cost Ops", app_url="", async_mode=False, storage_mode="memory"
    )
    guard = Guard(private=bool(question["private"]))
    sys.addaudithook(guard)
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None:
        why = "is not understood by apprise: see https://github.com/caronc/apprise/wiki for the form of each service"
        return {"ok": False, "reason": "invalid_url", "error": why}
    if question["do"] == "check":
        return _checked(plugin, question)
    if _is_sent(plugin, question):
        return {"ok": True}
    if guard.refused:
        return {"ok": False, "error": f"not sent: {guard.refused[0]}"}
    return {"ok": False, "error": _without_secrets(" ".join(heard.said), url)}


def _unfit(url: str) -> dict[str, Any] | None:
    schema = url.partition("://")[0].lower()
    if schema in INSTEAD:
        return {"ok": False, "reason": "use_email", "error": INSTEAD[schema]}
    if schema in _HERE_ONLY:
        return {"ok": False, "reason": "not_remote", "error": "is a service of the machine itself, which nobody reads"}
    return None


def _is_sent(plugin: Any, question: dict[str, Any]) -> bool:
    from apprise.common import OverflowMode

    if "overflow=" not in question["url"]:
        plugin.overflow_mode = OverflowMode.TRUNCATE
    sent = plugin.notify(
        title=question["title"],
        body=question["body"],
        notify_type=_TYPES.get(question["severity"], "info"),
        body_format="text",
    )
    return bool(sent)


def _checked(plugin: Any, question: dict[str, Any]) -> dict[str, Any]:
    """A plugin whose URL names a host has to name one that is public, as far as it can be looked up now."""
    told = {"ok": True, "service": str(getattr(plugin, "service_name", "") or type(plugin).__name__)}
    host = str(getattr(plugin, "host", None) or "").strip("[]")
    if question["private"] or not host or not any("{host}" in template for template in plugin.templates):
        return told
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return told
    for address in sorted(found):
        if not is_public(address):
            why = f"leads to {host}, the address {address}, which is not public ({question['setting']} permits it)"
            return {"ok": False, "reason": "private_address", "error": why}
    return told


def _without_secrets(text: str, url: str) -> str:
    for part in sorted(set(_SECRET_PART.findall(url.partition("://")[2])), key=len, reverse=True):
        text = text.replace(part, "…")
    return text[:300] or "the service did not take it"


def main() -> None:
    """Read a question, print the answer."""
    question = json.loads(sys.stdin.buffer.read())
    out, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints is no answer
    try:
        told = answer(question)
    except Guarded as error:
        told = {"ok": False, "reason": "refused", "error": str(error)}
    except Exception as error:  # noqa: BLE001 (whatever a plugin raises is why nothing was sent)
        told = {"ok": False, "error": f"apprise failed with {type(error).__name__}"}
    out.write(json.dumps(told))
    out.flush()


if __name__ == "__main__":
    main()
