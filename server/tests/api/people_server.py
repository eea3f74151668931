"""A running server to which people can log in; hashing costs little there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cost_ops.credentials.passwords import CHEAP, Argon2Passwords
from tests.api.running import Answer, Server, add_keys, opened, serving
from tests.people import PASSWORD
from tests.smtp_server import Mailbox, token_in

PUBLIC_URL = "https://costs.example.com"


@contextmanager
def peopled_server(url: str, mailbox: Mailbox | None = None, **flags: Any) -> Iterator[Server]:
    """A server with keys; with a mailbox its letters go there."""
    if mailbox is not None:
        flags |= {
            "notifications__smtp_host": "127.0.0.1",
            "notifications__smtp_port": mailbox.port,
            "notifications__smtp_security": "none",
            "notifications__smtp_from": "LLM Cost Ops <costs@example.com>",
        }
    application = opened(url, server__public_url=PUBLIC_URL, **flags)
    cheap = replace(application.login_tools, passwords=Argon2Passwords(CHEAP))
    application = replace(application, login_tools=cheap)
    try:
        with serving(application) as server:
            add_keys(server)
            yield server
    finally:
        application.close()


def invite(server: Server, email: str, role: str = "viewer", *, key: str = "admin", **more: Any) -> Answer:
    body = {"email": email, "role": role, **more}
    if key == "admin":
        body.setdefault("organization_id", "org-123")
    return server.post("users", body, key=key)


def enrol(server: Server, email: str, role: str = "viewer", **more: Any) -> dict[str, Any]:
    """A member who has set the usual password, by the link that the owner is given."""
    made = invite(server, email, role, **more)
    assert made.status == 201, made.text
    data: dict[str, Any] = made.body["data"]
    if link := data.get("link"):
        done = server.post(
            "auth/password/confirm", {"token": link.partition("#token=")[2], "password": PASSWORD}, key=None
        )
        assert done.status == 200, done.text
    return data


def enrol_by_letter(server: Server, mailbox: Mailbox, email: str, role: str = "viewer", **more: Any) -> None:
    """The same with the link in the letter."""
    before = len(mailbox.letters)
    assert invite(server, email, role, **more).status == 201
    token = token_in(mailbox.wait(before + 1))
    assert server.post("auth/password/confirm", {"token": token, "password": PASSWORD}, key=None).status == 200
    mailbox.wait(before + 2)


def log_in(server: Server, email: str, password: str = PASSWORD, **more: Any) -> Answer:
    return server.post("auth/login", {"email": email, "password": password, **more}, key=None)


def token_of(server: Server, email: str, **more: Any) -> str:
    answer = log_in(server, email, **more)
    assert answer.status == 200, answer.text
    return str(answer.body["data"]["access_token"])
