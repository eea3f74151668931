"""People at the command line: logging in to a real server, links by e-mail, and members."""

import json
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cost_ops.cli import credentials
from cost_ops.cli.errors import RemoteError
from cost_ops.cli.main import cli
from cost_ops.cli.remote.tokens import LoginTokens
from tests.api.people_server import enrol, peopled_server
from tests.api.running import Server, migrated
from tests.cli.conftest import Shell
from tests.people import OTHER_PASSWORD, PASSWORD
from tests.smtp_server import Mailbox, smtp_server, text_in, token_in

ANA = "ana@example.com"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with Ana, the admin of org-123."""
    url = migrated(tmp_path_factory.mktemp("served"))
    with peopled_server(url, auth__key_cache_secs=0, cache__enable="false") as running:
        enrol(running, ANA, "admin")
        yield running


@pytest.fixture
def ana(server: Server, empty_shell: Shell) -> Shell:
    """A shell in which Ana is logged in."""
    empty_shell("auth", "login", "--api-url", server.url, "--email", ANA, "--password-stdin", input=f"{PASSWORD}\n")
    return empty_shell


def test_a_log_in_serves_every_later_command_of_that_server(server: Server, ana: Shell) -> None:
    to = ("--api-url", server.url)
    who = ana.json("auth", "whoami", *to)
    assert (who["kind"], who["user"]["email"], who["organization_id"]) == ("user", ANA, "org-123")
    assert "admin" in ana("auth", "whoami", *to).stdout
    ana("query", *to, "--range", "last-7-days")
    assert "Logged out" in ana("auth", "logout", *to).stdout
    assert "not logged in" in ana("auth", "logout", *to).stdout
    assert "cost-ops auth login" in ana("query", *to, "--range", "last-7-days", code=3).stderr


def test_the_tokens_are_nobody_elses_to_read(server: Server, ana: Shell) -> None:
    path = credentials.path_of(server.url)
    assert path.is_relative_to(ana.folder / "config")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert PASSWORD not in path.read_text()
    path.chmod(0o644)
    assert "others can read" in ana("auth", "whoami", "--api-url", server.url, code=1).stderr


def test_a_file_of_tokens_is_good_for_its_own_server_only(server: Server, ana: Shell) -> None:
    other = "http://127.0.0.1:9"
    credentials.path_of(server.url).rename(credentials.path_of(other))
    assert credentials.read(other) is None


def test_a_token_that_is_over_is_renewed_and_kept(server: Server, ana: Shell) -> None:
    before = credentials.read(server.url)
    assert before is not None
    age(before)
    assert ana.json("auth", "whoami", "--api-url", server.url)["user"]["email"] == ANA
    after = credentials.read(server.url)
    assert after is not None
    assert after.access_token != before.access_token
    assert after.usable_at(datetime.now(UTC))


def age(login: credentials.StoredLogin) -> None:
    """As if its access token were over."""
    path = credentials.path_of(login.url)
    content = json.loads(path.read_text())
    content["expires_at"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    path.write_text(json.dumps(content))


def test_commands_that_run_at_once_renew_once(server: Server, ana: Shell) -> None:
    stored = credentials.read(server.url)
    assert stored is not None
    age(stored)
    tokens: list[str] = []
    start = threading.Barrier(6)

    def run() -> None:
        start.wait()
        tokens.append(LoginTokens(server.url).bearer())

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(tokens)) == 1
    assert server.get("auth/whoami", key=tokens[0]).status == 200


def test_a_session_that_is_over_says_so_and_is_forgotten(server: Server, ana: Shell) -> None:
    stored = credentials.read(server.url)
    assert stored is not None
    assert server.post("auth/logout", {}, key=stored.access_token).status == 200
    told = ana("auth", "whoami", "--api-url", server.url, code=3).stderr
    assert "session is over" in told
    assert credentials.read(server.url) is None


def test_a_key_goes_before_the_log_in(server: Server, ana: Shell) -> None:
    who = ana.json("auth", "whoami", "--api-url", server.url, "--api-key", server.keys["org"])
    assert who["kind"] == "key"


def test_a_wrong_password_leaves_nothing_behind(server: Server, empty_shell: Shell) -> None:
    arguments = ("auth", "login", "--api-url", server.url, "--email", ANA, "--password-stdin")
    assert "Wrong e-mail address or password" in empty_shell(*arguments, input="guess\n", code=3).stderr
    assert credentials.read(server.url) is None
    assert "no password" in empty_shell(*arguments, input="", code=2).stderr


def test_a_password_is_asked_for_and_not_shown(server: Server, empty_shell: Shell) -> None:
    entered = empty_shell("auth", "login", "--api-url", server.url, "--email", ANA, input=f"{PASSWORD}\n")
    assert PASSWORD not in entered.output
    assert "Logged in" in entered.stdout


def test_nobody_logs_in_to_a_database(shell: Shell) -> None:
    assert "--api-url" in shell("auth", "login", "--email", ANA, "--password-stdin", input="x\n", code=2).stderr
    assert shell.json("auth", "whoami")["kind"] == "owner"


def test_people_are_managed_on_the_database_and_through_a_server_alike(server: Server, any_shell: Shell) -> None:
    any_shell("auth", "login", "--api-url", server.url, "--email", ANA, "--password-stdin", input=f"{PASSWORD}\n")
    for to in ((), ("--api-url", server.url)):
        added = any_shell.json("users", "add", "Ben@example.com", "--role", "viewer", "--projects", "a,b", *to)
        assert (added["email"], added["name"], added["projects"]) == ("ben@example.com", "Ben", ["a", "b"])
        assert ("link" in added) == (to == ())
        shown = any_shell("users", "list", *to).stdout
        assert "ben@example.com" in shown
        assert max(len(line) for line in shown.splitlines()) <= 80
        changed = any_shell.json("users", "update", "ben@example.com", "--role", "analyst", "--everything", *to)
        assert (changed["role"], changed["projects"]) == ("analyst", [])
        assert any_shell.json("users", "update", changed["id"], "--name", "Ben B.", *to)["name"] == "Ben B."
        assert "is no member" in any_shell("users", "remove", "ben@example.com", *to).stdout
        any_shell("users", "remove", "ben@example.com", *to, code=1)
        any_shell("users", "update", "ana@example.com", *to, code=2)


def test_the_first_person_gets_in_without_a_mail_server(shell: Shell) -> None:
    added = shell.json("users", "add", "user@example.com", "--role", "admin")
    token = added["link"].partition("#token=")[2]
    shell("auth", "reset-password", "--token", token, "--password-stdin", input=f"{PASSWORD}\n")
    again = shell("auth", "reset-password", "--token", token, "--password-stdin", input=f"{PASSWORD}\n", code=2)
    assert "used before" in again.stderr
    reset = shell.json("auth", "reset-password", "--email", "user@example.com")
    assert "#token=" in reset["link"]
    assert "Nobody has the address" in shell("auth", "reset-password", "--email", "no@example.com", code=1).stderr


def test_a_forgotten_password_as_the_faq_has_it(any_shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    any_shell("users", "add", "user@example.com", "--role", "viewer")
    with smtp_server() as mailbox:
        with_mail(monkeypatch, mailbox)
        told = any_shell("auth", "reset-password", "--email", "user@example.com").stdout
        letter = mailbox.wait(1)
    assert "A link was sent to user@example.com" in told
    assert "#token=" not in told
    assert letter["To"] == "user@example.com"
    typed = f"{OTHER_PASSWORD}\n{OTHER_PASSWORD}\n"
    done = any_shell("auth", "reset-password", "--token", token_in(letter), input=typed)
    assert "The password is set" in done.stdout
    assert OTHER_PASSWORD not in done.output


def with_mail(monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox) -> None:
    monkeypatch.setenv("COST_OPS_NOTIFICATIONS_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("COST_OPS_NOTIFICATIONS_SMTP_PORT", str(mailbox.port))
    monkeypatch.setenv("COST_OPS_NOTIFICATIONS_SMTP_SECURITY", "none")
    monkeypatch.setenv("COST_OPS_SERVER_PUBLIC_URL", "https://costs.example.com")


def test_a_mail_server_that_is_away_is_told_to_the_owner(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("users", "add", "user@example.com", "--role", "viewer")
    with smtp_server() as mailbox:
        with_mail(monkeypatch, mailbox)
    told = shell("auth", "reset-password", "--email", "user@example.com", code=5).stderr
    assert f"127.0.0.1:{mailbox.port} did not take the letter" in told


def test_doctor_looks_at_the_mail_server(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def mail() -> list[tuple[str, str]]:
        return [(check["level"], check["found"]) for check in shell.json("doctor") if check["name"] == "mail"]

    assert mail() == []
    with smtp_server() as mailbox:
        with_mail(monkeypatch, mailbox)
        assert mail() == [("ok", f"127.0.0.1:{mailbox.port} answers; links begin with https://costs.example.com")]
        monkeypatch.delenv("COST_OPS_SERVER_PUBLIC_URL")
        assert mail()[0][0] == "warn"
    assert "does not answer" in mail()[0][1]


def test_a_reset_through_a_server(empty_shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = migrated(tmp_path_factory.mktemp("served"))
    with smtp_server() as mailbox, peopled_server(url, mailbox) as server:
        to = ("--api-url", server.url)
        empty_shell(
            "users", "add", ANA, "--role", "viewer", "--organization", "org-123", *to, "--api-key", server.keys["admin"]
        )
        assert "invited" in text_in(mailbox.wait(1)) or "member" in text_in(mailbox.wait(1))
        told = empty_shell("auth", "reset-password", "--email", ANA, *to).stdout
        assert "If somebody has this address" in told
        token = token_in(mailbox.wait(2))
        empty_shell("auth", "reset-password", "--token", token, "--password-stdin", *to, input=f"{PASSWORD}\n")
        empty_shell("auth", "login", "--email", ANA, "--password-stdin", *to, input=f"{PASSWORD}\n")


def test_signing_keys_are_turned_over_on_the_database_and_through_a_server(server: Server, shell: Shell) -> None:
    assert shell.json("auth", "rotate-signing-key")["kid"].startswith("key_")
    to = ("--api-url", server.url, "--api-key", server.keys["admin"])
    assert shell.json("auth", "rotate-signing-key", "--end-sessions", *to)["forgotten"] >= 0
    shell("auth", "rotate-signing-key", "--api-url", server.url, "--api-key", server.keys["org"], code=3)


def test_a_busy_log_in_is_told_at_once(server: Server, empty_shell: Shell) -> None:
    arguments = ["auth", "login", "--api-url", server.url, "--email", ANA, "--password-stdin"]
    codes = [CliRunner().invoke(cli, arguments, input="guess\n").exit_code for _ in range(11)]
    assert codes == [3] * 10 + [4]


def test_without_a_server_the_refresh_fails_and_the_tokens_stay(server: Server, ana: Shell) -> None:
    stored = credentials.read(server.url)
    assert stored is not None
    moved = Path(credentials.path_of("http://127.0.0.1:9"))
    moved.write_text(
        json.dumps(
            {
                **json.loads(credentials.path_of(server.url).read_text()),
                "url": "http://127.0.0.1:9",
                "expires_at": "2020-01-01T00:00:00Z",
            }
        )
    )
    moved.chmod(0o600)
    with pytest.raises(RemoteError):
        LoginTokens("http://127.0.0.1:9").bearer()
    assert credentials.read("http://127.0.0.1:9") is not None
