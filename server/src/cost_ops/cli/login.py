"""`cost-ops auth login|logout|whoami|reset-password|rotate-signing-key`: people at the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.people_backend import Document


def _server_of(session: Session) -> str:
    if not session.is_remote:
        raise click.UsageError("name the server with --api-url; on the database itself nobody needs to log in")
    return session.settings.defaults.api_url


def _in_the_clear(url: str) -> bool:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _password(*, from_stdin: bool, new: bool) -> str:
    """A password, typed unseen, or the first line of standard input."""
    if from_stdin:
        found = sys.stdin.readline().rstrip("\r\n")
        if not found:
            raise click.UsageError("--password-stdin: there is no password on standard input")
        return found
    text = "New password" if new else "Password"
    return str(click.prompt(text, hide_input=True, confirmation_prompt=new, err=True))


@click.command(
    "login",
    cls=Command,
    examples=(
        "cost-ops auth login --api-url https://costs.example.com --email ana@example.com",
        "cost-ops auth login --api-url https://costs.example.com --email ana@example.com --password-stdin < password",
    ),
)
@click.option("--email", required=True, metavar="ADDRESS", help="who you are")
@click.option("--password-stdin", is_flag=True, help="read the password from standard input")
@pass_session
def login(session: Session, /, *, email: str, password_stdin: bool) -> None:
    """Log in to a server. Later commands with its --api-url need no key.

    The tokens are kept in your configuration folder, readable by you alone, and renewed while you use them.
    """
    from cost_ops.cli import credentials
    from cost_ops.cli.remote.client import Client

    url = _server_of(session)
    if _in_the_clear(url):
        session.output.notice("This server is reached without encryption: others on the way can read the password.")
    client = Client(url, "")
    body = {"email": email, "password": _password(from_stdin=password_stdin, new=False)}
    if session.organization:
        body["organization_id"] = session.organization
    entered = credentials.login_of(url, client.send("POST", "/auth/login", body=body, attempts=1)["data"])
    with credentials.locked(url):
        credentials.write(entered)
    shown = {"email": entered.email, "organization_id": entered.organization_id, "server": entered.url}
    text = f"Logged in to {entered.url} as {entered.email}, organisation {entered.organization_id}."
    session.output.show(shown, text)
    if session.settings.defaults.api_key:
        session.output.notice("An API key is configured too; commands use that one.")


@click.command("logout", cls=Command, examples=("cost-ops auth logout --api-url https://costs.example.com",))
@pass_session
def logout(session: Session) -> None:
    """Log out of a server: the session ends there, and the tokens here are removed."""
    from cost_ops.cli import credentials
    from cost_ops.cli.errors import RemoteError
    from cost_ops.cli.remote.client import Client
    from cost_ops.cli.remote.tokens import LoginTokens

    url = _server_of(session)
    if credentials.read(url) is None:
        session.output.show({"logged_out": False}, "You are not logged in there.")
        return
    try:
        Client(url, "", tokens=LoginTokens(url)).send("POST", "/auth/logout", attempts=1)
    except RemoteError as error:
        if error.status != 401:  # over already
            raise
    credentials.forget(url)
    session.output.show({"logged_out": True}, f"Logged out of {credentials.normal_url(url)}.")


@click.command(
    "whoami",
    cls=Command,
    examples=("cost-ops auth whoami", "cost-ops auth whoami --api-url https://costs.example.com"),
)
@pass_session
def whoami(session: Session) -> None:
    """Show as whom commands run, and what they may do."""
    from cost_ops.cli.output import Column, Table

    who = session.backend.login.who_am_i()
    user = who["user"] or {}
    bound = [f"{dimension}: {', '.join(values) or 'none'}" for dimension, values in (who["scope"] or {}).items()]
    names = {
        "who": user.get("email") or who["key_name"] or "the owner of the installation",
        "name": user.get("name"),
        "role": user.get("role"),
        "key": who["key_id"] and f"key_{who['key_id']}",
        "organisation": who["organization_id"] or "all",
        "plan": who["plan"],
        "sees": "; ".join(bound) or "everything",
        "permissions": ", ".join(who["permissions"]),
        "session until": who["session"] and who["session"]["expires_at"],
    }
    rows = [(name, value) for name, value in names.items() if value]
    session.output.show(who, Table((Column(str(who["kind"])), Column("")), rows))


@click.command(
    "reset-password",
    cls=Command,
    examples=(
        "cost-ops auth reset-password --email user@example.com",
        "cost-ops auth reset-password --api-url https://costs.example.com --token TOKEN",
    ),
)
@click.option("--email", metavar="ADDRESS", help="send a link to this address")
@click.option("--token", metavar="TOKEN", help="set a new password with the token of a link")
@click.option("--password-stdin", is_flag=True, help="with --token: read the password from standard input")
@pass_session
def reset_password(session: Session, /, *, email: str | None, token: str | None, password_stdin: bool) -> None:
    """Ask for a link that sets a password, or use one.

    On the database, without a mail server, the link is shown: hand it over.
    """
    if (email is None) == (token is None):
        raise click.UsageError("give either --email, to get a link, or --token, to use one")
    backend = session.backend.login
    done: Document
    if email is not None:
        done = backend.reset(email)
    else:
        done = backend.confirm(token or "", _password(from_stdin=password_stdin, new=True))
    session.output.show(done, *_lines(done))


@click.command(
    "rotate-signing-key",
    cls=Command,
    examples=("cost-ops auth rotate-signing-key", "cost-ops auth rotate-signing-key --end-sessions"),
)
@click.option("--end-sessions", is_flag=True, help="forget the old keys now: everybody must log in again")
@pass_session
def rotate_signing_key(session: Session, /, *, end_sessions: bool) -> None:
    """Sign tokens with a new key. Tokens of the old one stay good until they are over."""
    done = session.backend.login.rotate_signing_key(end_sessions=end_sessions)
    text = f"Tokens are signed with {done['kid']} from now on; older keys forgotten: {done['forgotten']}."
    session.output.show(done, text)


def _lines(done: dict[str, Any]) -> list[str]:
    return [str(done["message"]), *([str(done["link"])] if done.get("link") else [])]


COMMANDS = (login, logout, whoami, reset_password, rotate_signing_key)
"""What stands in the group `auth` beside keys."""
