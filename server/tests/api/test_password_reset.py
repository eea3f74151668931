"""Links by e-mail, through a real SMTP server: good once, for a short time, and telling nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.people_server import PUBLIC_URL, enrol, enrol_by_letter, invite, log_in, peopled_server, token_of
from tests.api.running import Answer, Server, migrated
from tests.people import OTHER_PASSWORD, PASSWORD
from tests.smtp_server import Mailbox, html_in, smtp_server, text_in, token_in

ANA = "ana@example.com"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path: Path, mailbox: Mailbox) -> Iterator[Server]:
    """A server with Ana, whose letters go to the mailbox."""
    url = migrated(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_database")
    with peopled_server(url, mailbox, auth__key_cache_secs=0, cache__enable="false") as running:
        enrol_by_letter(running, mailbox, ANA, "engineer")
        mailbox.letters.clear()
        yield running


def ask(server: Server, email: str = ANA, **headers: str) -> Answer:
    return server.post("auth/password/reset", {"email": email}, key=None, headers=headers)


def confirm(server: Server, token: str, password: str = OTHER_PASSWORD) -> Answer:
    return server.post("auth/password/confirm", {"token": token, "password": password}, key=None)


def test_a_forgotten_password_is_set_anew(server: Server, mailbox: Mailbox) -> None:
    session = token_of(server, ANA)
    asked = ask(server)
    assert asked.status == 202
    letter = mailbox.wait(1)
    assert (letter["To"], letter["From"]) == (ANA, "LLM Cost Ops <costs@example.com>")
    token = token_in(letter)
    link = f"{PUBLIC_URL}/reset-password#token={token}"
    assert link in text_in(letter)
    assert f'href="{link}"' in html_in(letter)
    assert f"cost-ops auth reset-password --api-url {PUBLIC_URL} --token {token}" in text_in(letter)
    assert confirm(server, token).status == 200
    assert server.get("costs", key=session).status == 401
    assert log_in(server, ANA, PASSWORD).status == 401
    assert log_in(server, ANA, OTHER_PASSWORD).status == 200
    assert "changed" in mailbox.wait(2)["Subject"]
    assert confirm(server, token).reasons == {("token", "not_good")}


def test_an_unknown_address_gets_the_same_answer_and_no_letter(server: Server, mailbox: Mailbox) -> None:
    unknown, known = ask(server, "nobody@example.com"), ask(server)
    assert (unknown.status, unknown.body) == (known.status, known.body)
    mailbox.wait(1)
    assert [letter["To"] for letter in mailbox.letters] == [ANA]


def test_the_link_never_follows_the_host_header(server: Server, mailbox: Mailbox) -> None:
    ask(server, **{"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in mailbox.wait(1).as_string()


def test_of_many_that_use_a_link_at_once_exactly_one_succeeds(server: Server, mailbox: Mailbox) -> None:
    ask(server)
    token = token_in(mailbox.wait(1))
    answers: list[Answer] = []
    start = threading.Barrier(8)

    def run(number: int) -> None:
        start.wait()
        answers.append(confirm(server, token, f"the password of reader {number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status for a in answers].count(200) == 1
    assert {a.status for a in answers} == {200, 400}
    won = [n for n in range(8) if log_in(server, ANA, f"the password of reader {n}").status == 200]
    assert len(won) == 1


def test_a_password_that_cannot_be_set_does_not_use_up_the_link(server: Server, mailbox: Mailbox) -> None:
    ask(server)
    token = token_in(mailbox.wait(1))
    assert confirm(server, token, "short").reasons == {("password", "too_short")}
    assert confirm(server, token, "aaaaaaaaaaaaaaaa").reasons == {("password", "too_simple")}
    assert confirm(server, token, "x" * 1_000_000).reasons == {("password", "too_long")}
    assert confirm(server, token).status == 200


def test_a_newer_link_ends_the_older(server: Server, mailbox: Mailbox) -> None:
    ask(server)
    first = token_in(mailbox.wait(1))
    ask(server)
    second = token_in(mailbox.wait(2))
    assert confirm(server, first).status == 400
    assert confirm(server, second).status == 200


def test_a_reset_lifts_the_lock_of_failed_log_ins(server: Server, mailbox: Mailbox) -> None:
    for _ in range(10):
        log_in(server, ANA, "not the password of anybody")
    assert log_in(server, ANA).status == 429
    ask(server)
    assert confirm(server, token_in(mailbox.wait(1))).status == 200
    assert log_in(server, ANA, OTHER_PASSWORD).status == 200


def test_nobodys_mailbox_is_flooded(server: Server, mailbox: Mailbox) -> None:
    for _ in range(8):
        assert ask(server).status == 202
    server.application.outbox.close()
    assert len(mailbox.letters) == 4  # the fifth of this hour was the invitation


def test_who_asks_for_many_is_told_to_wait(server: Server) -> None:
    for number in range(20):
        assert ask(server, f"nobody{number}@example.com").status == 202
    assert ask(server, "nobody99@example.com").status == 429


def test_faults_are_named(server: Server) -> None:
    assert ask(server, "аna@example.com").reasons == {("email", "not_ascii")}
    assert ask(server, "ana@example.com\r\nBcc: all@example.com").status == 400
    assert server.post("auth/password/reset", {}, key=None).reasons == {("email", "missing_required_field")}
    nothing = server.post("auth/password/confirm", {"token": 7}, key=None)
    assert nothing.reasons == {("token", "invalid_type"), ("password", "missing_required_field")}
    for token in ("x", "é", "x" * 100_000):
        assert confirm(server, token).reasons == {("token", "not_good")}
    broken = b'{"token": "\\ud800", "password": "\\ud800 seven boats under the bridge"}'
    assert server.post("auth/password/confirm", broken, key=None).status == 400


def test_an_invitation_sets_the_first_password(server: Server, mailbox: Mailbox) -> None:
    made = invite(server, "zoe@example.com", "analyst")
    assert (made.status, made.body["data"]["invitation"]) == (201, "sent")
    assert "link" not in made.body["data"]
    letter = mailbox.wait(1)
    assert "org-123" in letter["Subject"]
    assert log_in(server, "zoe@example.com").status == 401
    assert confirm(server, token_in(letter)).status == 200
    assert log_in(server, "zoe@example.com", OTHER_PASSWORD).status == 200


def test_who_is_known_elsewhere_is_invited_without_telling(server: Server, mailbox: Mailbox) -> None:
    known = server.post("users", {"organization_id": "org-456", "email": ANA, "role": "viewer"}, key="admin")
    unknown = server.post(
        "users", {"organization_id": "org-456", "email": "new@example.com", "role": "viewer"}, key="admin"
    )
    assert known.body["data"].keys() == unknown.body["data"].keys()
    assert known.body["data"]["invitation"] == unknown.body["data"]["invitation"]
    mailbox.wait(2)
    joined, invited = ((letter["To"], "#token=" in text_in(letter)) for letter in mailbox.letters)
    assert (joined, invited) == ((ANA, False), ("new@example.com", True))
    assert log_in(server, ANA).reasons == {("organization_id", "missing_required_field")}
    assert log_in(server, ANA, organization_id="org-456").status == 200


def test_a_mail_server_that_refuses_shows_in_no_answer(server: Server, mailbox: Mailbox) -> None:
    mailbox.refuse = "554 no"
    assert ask(server).status == 202
    server.application.outbox.close()
    assert mailbox.letters == []


def test_without_a_mail_server_the_answer_says_what_to_do(tmp_path: Path) -> None:
    with peopled_server(migrated(tmp_path)) as server:
        enrol(server, ANA)
        refused = ask(server)
        assert refused.status == 503
        assert "smtp_host" in refused.error["message"]
        assert ask(server, "nobody@example.com").error["message"] == refused.error["message"]


def test_the_page_is_whole_in_itself(server: Server) -> None:
    page = server.get("/reset-password", key=None)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "src=" not in page.text
    assert "viewport" in page.text
