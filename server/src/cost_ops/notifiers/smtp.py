"""Letters by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Literal

from cost_ops.domain.errors import Unavailable
from cost_ops.domain.letters import Letter
from cost_ops.interfaces.clock import Clock
from cost_ops.notifiers.letters import html_of, text_of, worded

TIMEOUT_SECONDS = 20
Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """A mail server, and who we are to it. `security` none sends in the clear: for a relay on this machine."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: Security
    sender: str


class SmtpMailer:
    """Sends each letter over a connection of its own. Certificates are checked."""

    def __init__(
        self, account: SmtpAccount, clock: Clock, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    ) -> None:
        """`trust` makes what says whose certificates are believed."""
        self._account = account
        self._clock = clock
        self._trust = trust

    def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server. Raises Unavailable with what it said."""
        account = self._account
        try:
            with self._connected() as server:
                if account.user:
                    server.login(account.user, account.password)
                server.send_message(self._message(letter))
        except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
            raise Unavailable(
                f"the mail server {account.host}:{account.port} did not take the letter: {_reason(error)}", 60
            ) from error

    def _connected(self) -> smtplib.SMTP:
        account = self._account
        if account.security == "tls":
            return smtplib.SMTP_SSL(account.host, account.port, timeout=TIMEOUT_SECONDS, context=self._trust())
        server = smtplib.SMTP(account.host, account.port, timeout=TIMEOUT_SECONDS)
        if account.security == "starttls":
            try:
                server.starttls(context=self._trust())
            except BaseException:
                server.close()
                raise
        return server

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = worded(letter).subject
        message["From"] = self._account.sender
        message["To"] = letter.to
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = make_msgid(domain=parseaddr(self._account.sender)[1].rpartition("@")[2] or None)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text_of(letter))
        message.add_alternative(html_of(letter), subtype="html")
        return message


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"[:200]
    return str(error)[:200] or type(error).__name__
