"""Letters by SMTP: a mail server that messages are handed to, and the letters that the installation writes."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
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

    @property
    def domain(self) -> str:
        """The domain of the sender's address; empty where it has none."""
        return parseaddr(self.sender)[1].rpartition("@")[2]


class MailServer:
    """Takes messages, each over a connection of its own. Certificates are checked."""

    def __init__(
        self,
        account: SmtpAccount,
        clock: Clock,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """`trust` makes what says whose certificates are believed; the time is that for each answer."""
        self.account = account
        self._clock = clock
        self._trust = trust
        self._timeout = timeout_seconds

    def compose(self, to: Sequence[str], subject: str, *, text: str, html: str) -> EmailMessage:
        """A message of text and of HTML that says the same. Raises ValueError where a line break is in a header."""
        message = EmailMessage()
        message["Subject"] = subject
        message["From"] = self.account.sender
        message["To"] = ", ".join(to)
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = make_msgid(domain=self.account.domain or None)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        return message

    def deliver(self, message: EmailMessage) -> Mapping[str, str]:
        """Hand a message over; what was said of the addresses that were refused. Raises Unavailable if all were."""
        account = self.account
        try:
            with self._connected() as server:
                if account.user:
                    server.login(account.user, account.password)
                refused = server.send_message(message)
        except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
            raise Unavailable(
                f"the mail server {account.host}:{account.port} did not take the letter: {_reason(error)}", 60
            ) from error
        return {address: _answer(*answer) for address, answer in refused.items()}

    def _connected(self) -> smtplib.SMTP:
        account = self.account
        if account.security == "tls":
            return smtplib.SMTP_SSL(account.host, account.port, timeout=self._timeout, context=self._trust())
        server = smtplib.SMTP(account.host, account.port, timeout=self._timeout)
        if account.security == "starttls":
            try:
                server.starttls(context=self._trust())
            except BaseException:
                server.close()
                raise
        return server


class SmtpMailer:
    """Sends the installation's letters."""

    def __init__(
        self, account: SmtpAccount, clock: Clock, trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    ) -> None:
        """`trust` makes what says whose certificates are believed."""
        self._server = MailServer(account, clock, trust)

    def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server. Raises Unavailable with what it said."""
        subject = worded(letter).subject
        self._server.deliver(self._server.compose([letter.to], subject, text=text_of(letter), html=html_of(letter)))


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{address}: {_answer(*answer)}" for address, answer in error.recipients.items())[:200]
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    return str(error)[:200] or type(error).__name__


def _answer(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"[:200]
