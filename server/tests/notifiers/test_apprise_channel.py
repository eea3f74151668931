"""apprise, in a process of its own: what it delivers, and what it cannot reach, read or wait for."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.interfaces.notifications import Answer
from cost_ops.notifiers.apprise_channel import AppriseSender, without_mentions
from tests.notifiers.receivers import forty, message, receiver, target, trial

PATIENT = 60.0


def sender(*, private: bool = True, timeout_seconds: float = PATIENT) -> AppriseSender:
    return AppriseSender(private=private, timeout_seconds=timeout_seconds)


def send(url: str, *, private: bool = True, timeout_seconds: float = PATIENT) -> Answer:
    return sender(private=private, timeout_seconds=timeout_seconds).send(
        target("apprise", secret={"url": url}), [message()]
    )


def refusal(url: object, *, private: bool = False) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as refused:
        sender(private=private).check({"url": url})
    (problem,) = refused.value.problems
    assert problem.field == "url"
    return problem.reason, problem.message


def test_a_message_arrives() -> None:
    with receiver() as server:
        url = f"json://127.0.0.1:{server.port}/hook"
        checked = sender().check({"url": url, "name": "x"})
        assert sender().send(target("apprise", secret={"url": url}), forty()).ok
    assert checked.config == {"service": "JSON"}
    assert checked.secret == {"url": url}
    (posted,) = server.posted
    assert posted.document["type"] == "failure"
    assert posted.document["title"] == "Acme: 40 budgets, 4 at or over their limit, 36 close to it"
    assert "and 30 more" in posted.document["message"]


def test_names_call_on_nobody() -> None:
    with receiver() as server:
        url = f"json://127.0.0.1:{server.port}/"
        assert (
            sender().send(target("apprise", secret={"url": url}), [message(budget_name="@everyone <!channel> <@1>")]).ok
        )
    said = server.posted[0].document["title"] + server.posted[0].document["message"]
    assert "everyone" in said
    assert not any(mark in said for mark in ("@everyone", "<!channel", "<@"))
    assert without_mentions("5 > 4 & 3") == "5 > 4 & 3"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "0.0.0.0"])
def test_private_addresses_are_refused_at_creation_and_when_sending(host: str) -> None:
    with receiver() as server:
        url = f"json://{host}:{server.port}/"
        reason, text = refusal(url)
        answer = send(url, private=False)
    assert reason == "private_address"
    assert "notifications.allow_private_addresses permits it" in text
    assert not answer.ok
    assert server.posted == []


def test_the_guard_says_why_nothing_was_sent() -> None:
    with receiver() as server:
        answer = send(f"json://127.0.0.1:{server.port}/", private=False)
    assert answer.error == "not sent: it leads to the address 127.0.0.1, which is not public"


def test_no_file_of_this_machine_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "template.json"
    secret.write_text('{"type": "message", "text": "{{app_body}} the secret of this machine"}', encoding="utf-8")
    answer = send(f"workflows://localhost:1/workflow/signature/?template={secret}")
    assert not answer.ok
    assert answer.error == "not sent: it would read a file of this machine"


@pytest.mark.parametrize(
    ("done", "why"),
    [
        ("open('/etc/passwd')", "read a file"),
        ("open('/tmp/cost-ops-guard', 'w')", "write a file"),
        ("__import__('subprocess').run(['true'])", "start a program"),
        ("__import__('os').system('true')", "start a program"),
        ("__import__('socket').create_connection(('127.0.0.1', 9))", "not public"),
        ("__import__('socket').create_connection(('::ffff:10.0.0.1', 9))", "not public"),
        ("(lambda s: s.socket(s.AF_UNIX).connect('/run/x'))(__import__('socket'))", "a socket of this machine"),
        ("(lambda s: s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b'x', ('169.254.169.254', 9)))(__import__('socket'))", "not public"),
    ],
)  # fmt: skip
def test_the_guard_holds_whatever_a_service_does(done: str, why: str) -> None:
    code = (
        "import sys, socket, subprocess\n"
        "from cost_ops.notifiers.apprise_process import Guard\n"
        f"sys.addaudithook(Guard(private=False))\n{done}\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=PATIENT)
    assert ran.returncode == 1
    assert "Guarded" in ran.stderr
    assert why in ran.stderr


def test_a_service_that_never_answers_is_ended() -> None:
    with receiver() as server:
        server.hold = threading.Event()
        answer = send(f"json://127.0.0.1:{server.port}/", timeout_seconds=3)
    assert answer == Answer(False, error="no answer within 3 seconds")


def test_a_refusal_is_told_without_the_secret() -> None:
    with receiver() as server:
        server.status = 500
        answer = send(f"json://127.0.0.1:{server.port}/a-secret-token")
    assert not answer.ok
    assert "500" in answer.error
    assert "a-secret-token" not in answer.error


def test_what_is_not_for_apprise_is_refused_with_advice() -> None:
    assert refusal("mailto://user:password@example.com")[0] == "use_email"
    assert "kind email" in refusal("mailtos://user:password@example.com")[1]
    assert refusal("syslog://")[0] == "not_remote"
    assert refusal("nonsense://x")[0] == "invalid_url"
    assert refusal(None)[0] == "missing_required_field"
    for url in (5, "no scheme", "discord://x\n/y", "json://" + "x" * 3000):
        assert refusal(url)[0] == "invalid_url"


def test_a_service_with_servers_of_its_own_is_taken() -> None:
    assert sender(private=False).check({"url": "discord://123456789012/abcdefghijklmnop"}).config == {
        "service": "Discord"
    }


def test_without_the_library_there_is_the_way_to_get_it() -> None:
    without = AppriseSender(module="apprise_that_is_not_installed")
    with pytest.raises(InvalidInput, match="pip install 'cost-ops-server\\[notify\\]'"):
        without.check({"url": "discord://a/b"})
    assert "pip install" in without.send(target("apprise", secret={"url": "discord://a/b"}), [trial()]).error
