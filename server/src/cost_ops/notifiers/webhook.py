"""Webhooks: an event posted to somebody's server, signed."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.periods import parse_instant
from cost_ops.domain.text import text_fault
from cost_ops.domain.webhooks import body_of, headers_of, secret_fault
from cost_ops.interfaces.clock import Clock
from cost_ops.interfaces.notifications import Answer, Checked, Message, Target
from cost_ops.notifiers.addresses import check_url
from cost_ops.notifiers.posting import TIMEOUT_SECONDS, post


class WebhookSender:
    """Posts each event by itself, signed with the time of the attempt."""

    fields = frozenset({"url", "description", "secret"})

    def __init__(
        self,
        clock: Clock,
        *,
        private: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`private` allows addresses that are not public; `trust` says whose certificates are believed."""
        self._clock = clock
        self._private = private
        self._timeout = timeout_seconds
        self._trust = trust

    def check(self, document: Mapping[str, Any]) -> Checked:
        """URL, description and secret. A replaced secret that is still good is kept beside it."""
        problems: list[Problem] = []
        url = ""
        try:
            url = check_url(document.get("url"), "url", private=self._private)
        except InvalidInput as error:
            problems.extend(error.problems)
        description = document.get("description") or ""
        if not isinstance(description, str):
            problems.append(Problem("description", "invalid_type", "description must be a text"))
        elif fault := text_fault(description):
            problems.append(Problem("description", fault[0], f"description {fault[1]}"))
        secret = document.get("secret")
        if (wrong := secret_fault(secret)) is not None:
            problems.append(wrong)
        if problems:
            raise InvalidInput(problems)
        kept = {name: document[name] for name in ("previous", "previous_until") if document.get(name)}
        return Checked({"url": url, "description": description}, {"secret": secret, **kept})

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Post the event. More than one is posted one after the other; the first failure is the answer."""
        answer = Answer(False, error="there was nothing to send")
        for message in messages:
            answer = self._post(target, message)
            if not answer.ok:
                break
        return answer

    def _post(self, target: Target, message: Message) -> Answer:
        now = self._clock()
        body = body_of(event=message.event, at=message.at, delivery_id=message.delivery_id, data=message.data)
        headers = headers_of(
            event=message.event,
            delivery_id=message.delivery_id,
            body=body,
            secrets=_secrets(target.secret, now),
            now=now,
        )
        url = str(target.config.get("url", ""))
        return post(url, body, headers, private=self._private, timeout_seconds=self._timeout, trust=self._trust)


def _secrets(secret: Mapping[str, Any], now: datetime) -> list[str]:
    """The secrets that sign now: the current one, and the one before while it is good."""
    found = [str(secret["secret"])]
    until = secret.get("previous_until")
    if until and secret.get("previous") and now < parse_instant(str(until), "previous_until"):
        found.append(str(secret["previous"]))
    return found
