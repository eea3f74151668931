"""A real SMTP server on a loopback port that keeps what it is handed."""

import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword


@dataclass
class Mailbox:
    """Letters that came in; `wait` until there are so many."""

    port: int
    letters: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""
    came: threading.Condition = field(default_factory=threading.Condition)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        assert isinstance(envelope.content, bytes)
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        with self.came:
            self.letters.append(letter)
            self.came.notify_all()
        return "250 kept"

    def wait(self, count: int, seconds: float = 20) -> EmailMessage:
        """The letter with that number, from 1."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.letters) >= count, seconds), "no letter came"
            return self.letters[count - 1]


def token_in(letter: EmailMessage) -> str:
    """The secret of a letter's link."""
    return text_in(letter).partition("#token=")[2].split()[0]


def text_in(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def html_in(letter: EmailMessage) -> str:
    body = letter.get_body(("html",))
    assert body is not None
    return str(body.get_content())


@contextmanager
def smtp_server(*, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> Iterator[Mailbox]:
    """Until the block ends. With `tls` it takes letters only after STARTTLS, with `login` only from that user."""

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mailbox = Mailbox(port)
    more: dict[str, Any] = {}
    if tls is not None:
        more |= {"tls_context": tls, "require_starttls": True}
    if login is not None:
        more |= {"authenticator": check, "auth_required": True, "auth_require_tls": tls is not None}
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
