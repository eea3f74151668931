"""Telling people by e-mail: those behind one channel get one message together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem, Unavailable
from cost_ops.domain.users import normal_email
from cost_ops.interfaces.notifications import Answer, Checked, Message, Target
from cost_ops.notifiers.mail_layout import html_of
from cost_ops.notifiers.notices import Notice, text_of
from cost_ops.notifiers.plain_words import plain
from cost_ops.notifiers.rendering import render
from cost_ops.notifiers.smtp import MailServer

MOST_ADDRESSES = 20
LONGEST_SUBJECT = 180
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")


class EmailSender:
    """Sends to the `addresses` of a channel."""

    fields = frozenset({"addresses"})

    def __init__(self, server: MailServer | None) -> None:
        """Without a server every message fails, and says which setting is missing."""
        self._server = server

    def check(self, document: Mapping[str, Any]) -> Checked:
        """The addresses in their normal form, each once. Raises InvalidInput with every problem."""
        given = document.get("addresses")
        if isinstance(given, str):
            given = given.split(",")
        if not isinstance(given, list | tuple) or not given:
            message = f"addresses must be a list of 1 to {MOST_ADDRESSES} e-mail addresses"
            reason = "missing_required_field" if given is None else "invalid_value"
            raise InvalidInput([Problem("addresses", reason, message)])
        problems: list[Problem] = []
        if len(given) > MOST_ADDRESSES:
            message = f"{len(given)} addresses; the limit is {MOST_ADDRESSES}: make a list of them at the mail server"
            problems.append(Problem("addresses", "too_many", message))
        addresses = [_address(text, f"addresses[{n}]", problems) for n, text in enumerate(given[:MOST_ADDRESSES])]
        if problems:
            raise InvalidInput(problems)
        return Checked({"addresses": list(dict.fromkeys(addresses))}, {})

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Hand one message for all addresses to the mail server."""
        if self._server is None:
            return Answer(False, error="no mail server is set up: set notifications.smtp_host")
        addresses = [str(address) for address in target.config.get("addresses", ())]
        try:
            refused = self._server.deliver(_letter(self._server, target, addresses, messages))
        except Unavailable as error:
            return Answer(False, error=error.message)
        except (ValueError, UnicodeError) as error:
            return Answer(False, error=f"the message cannot be written: {error}"[:300])
        if not refused:
            return Answer(True)
        # Not an error: another attempt would tell those again whose server took it.
        who = "; ".join(f"{address}: {why}" for address, why in refused.items())
        return Answer(True, text=f"refused for {who}"[:500])


def _address(text: object, field: str, problems: list[Problem]) -> str:
    if not isinstance(text, str):
        problems.append(Problem(field, "invalid_type", f"{field} must be a text"))
        return ""
    try:
        return normal_email(text, field)
    except InvalidInput as error:
        problems += error.problems
        return ""


def _letter(server: MailServer, target: Target, to: Sequence[str], messages: Sequence[Message]) -> EmailMessage:
    notice = render(messages)
    domain = server.account.domain or "cost-ops.invalid"
    letter = server.compose(to, plain(notice.title, LONGEST_SUBJECT), text=text_of(notice), html=html_of(notice))
    del letter["Message-ID"]
    # The same at each attempt, so that a mail server that took it before the line broke shows it once.
    letter["Message-ID"] = f"<{_part(messages[0].delivery_id)}@{domain}>"
    letter["List-Id"] = f"<{_part(target.channel_id)}.channels.{domain}>"
    if threads := _threads(notice, domain):
        letter["References"] = " ".join(threads)
        letter["In-Reply-To"] = threads[0]
    return letter


def _threads(notice: Notice, domain: str) -> list[str]:
    """What the message belongs to: an id that no message has, the same for all about one budget and period."""
    keys = [section.key for section in notice.sections if section.key]
    if len(keys) != 1 or len(notice.sections) > 1:
        return []
    digest = hashlib.sha256(keys[0].encode("utf-8", "replace")).hexdigest()[:32]
    return [f"<budget-{digest}@{domain}>"]


def _part(text: str) -> str:
    """Text as a part of an id in a header."""
    return text if _ID.match(text) else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
