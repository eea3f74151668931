"""What was promised in public about keys, permissions, limits, passwords and tenants, as it was printed."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.docs.conftest import FilledLedger, equipped
from tests.docs.samples import Shell
from tests.docs.test_promises import run
from tests.smtp_server import smtp_server, token_in

RESET = "cost-ops auth reset-password --email user@example.com"
COSTS = "https://api.llm-cost-ops.dev/api/v1/costs"


@pytest.fixture(scope="module")
def shell(programs: Path, filled_ledger: FilledLedger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A reader's terminal with a server running, and a user whose password can be forgotten."""
    with ExitStack() as stack:
        found = equipped(stack, programs, filled_ledger, tmp_path_factory.mktemp("access"), served=True)
        run(found, "cost-ops users add user@example.com --role viewer --organization org-123")
        yield found


def _document(shell: Shell, command: str, *, exit_code: int = 0) -> Any:
    return json.loads(run(shell, command, exit_code=exit_code))


def _new_key(shell: Shell, organization: str, *options: str) -> tuple[str, str]:
    """A key and its id."""
    words = f'cost-ops auth create-key --organization {organization} --name "New Key"'
    made = _document(shell, " ".join([words, *options, "--output json --quiet"]))
    return made["key"], made["id"]


def _error(shell: Shell, key: str, url: str = COSTS) -> dict[str, Any]:
    answer = _document(shell, f'curl -s -X GET "{url}" \\\n     -H "Authorization: Bearer {key}"')
    error: dict[str, Any] = answer["error"]
    return error


def test_the_limits_are_read_from_headers_as_printed(shell: Shell):
    output = run(shell, "curl -I http://localhost:8080/api/v1/costs").lower()
    lines = dict(line.split(": ", 1) for line in output.splitlines() if line.startswith("x-ratelimit-"))
    assert lines["x-ratelimit-limit"] == "1000"
    assert 0 <= int(lines["x-ratelimit-remaining"]) < 1000


def test_what_is_beyond_a_limit_is_answered_as_printed(shell: Shell):
    key, _ = _new_key(shell, "org-limited")
    run(shell, "cost-ops organizations update org-limited --requests-per-hour 1")
    answers = [
        _document(shell, f'curl -s -X GET {COSTS} -H "Authorization: Bearer {key}"') for _ in range(3)
    ]  # of three, two lie in the same hour
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert errors
    assert {(error["code"], error["message"]) for error in errors} == {("RATE_LIMIT_EXCEEDED", "Too many requests")}
    assert all(1 <= error["retry_after"] <= 3600 for error in errors)


def test_moving_to_a_higher_plan_raises_the_limits(shell: Shell):
    _new_key(shell, "org-growing")
    plans = [
        _document(shell, f"cost-ops organizations update org-growing --plan {plan} --output json")
        for plan in ("free", "developer", "professional", "enterprise")
    ]
    assert [plan["limits"]["requests_per_hour"] for plan in plans] == [100, 1000, 10000, None]


@pytest.mark.parametrize(
    "key",
    ["sk_live_12345678_notakeythatanybodyevermade", "sk_live_YOUR_KEY", "'YOUR_API_KEY '"],
    ids=["never made", "of no form", "with an extra space"],
)
def test_an_invalid_key_is_answered_as_printed(key: str, shell: Shell):
    error = _error(shell, key)
    assert (error["code"], error["message"]) == ("UNAUTHORIZED", "Invalid or missing API key")


def test_a_key_that_was_revoked_is_invalid(shell: Shell):
    key, key_id = _new_key(shell, "org-123")
    run(shell, f"cost-ops auth revoke-key {key_id}")
    assert _error(shell, key)["code"] == "UNAUTHORIZED"


def test_a_lacking_permission_is_answered_described_and_granted_as_printed(shell: Shell):
    key, key_id = _new_key(shell, "org-123", "--permissions pricing:read")
    reader = Shell(shell.folder, shell.environment, {**shell.replacements, "key_123": key_id})
    error = _error(reader, key)
    assert (error["code"], error["message"]) == ("FORBIDDEN", "Insufficient permissions")
    assert error["details"]["required_permission"] == "costs:read"
    assert "costs:read" not in run(reader, "cost-ops auth describe-key key_123")
    grant = 'cost-ops auth update-key key_123 \\\n  --add-permissions "usage:write,costs:read"'
    run(reader, grant)
    described = run(reader, "cost-ops auth describe-key key_123")
    assert "costs:read, pricing:read, usage:write" in described
    explained = _document(reader, "cost-ops access explain costs:read --key key_123 --output json")
    assert explained["allowed"] is True


def test_an_organisation_is_kept_from_the_keys_of_another(shell: Shell):
    usage = {"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4", "input_tokens": 1000}
    run(shell, f"echo '{json.dumps(usage)}' | cost-ops ingest --file -")
    key, _ = _new_key(shell, "org-other")
    error = _error(shell, key, f"{COSTS}?organization_id=org-123")
    assert error["code"] == "NOT_FOUND"
    theirs = _document(shell, f'curl -s {COSTS} -H "Authorization: Bearer {key}"')
    assert (theirs["data"]["organization_id"], theirs["data"]["requests"]) == ("org-other", 0)
    seen = "cost-ops query --organization {} --range last-30-days --output json"
    found = [_document(shell, seen.format(name)) for name in ("org-123", "org-other")]
    assert [(one["organization_id"], one["row_count"]) for one in found] == [("org-123", 1), ("org-other", 0)]


def test_a_password_is_reset_by_the_link_that_comes_by_e_mail(shell: Shell):
    with smtp_server() as mailbox:
        mail = {"HOST": "127.0.0.1", "PORT": mailbox.port, "SECURITY": "none"}
        settings = " ".join(f"COST_OPS_NOTIFICATIONS_SMTP_{name}={value}" for name, value in mail.items())
        output = run(shell, f"{settings} {RESET}")
        letter = mailbox.wait(1)
    assert letter["To"] == "user@example.com"
    assert token_in(letter) not in output
    assert _set_password_and_log_in(shell, letter) == "user@example.com"


def _set_password_and_log_in(shell: Shell, letter: EmailMessage) -> str:
    password = "a sentence that nobody else says"
    posted = "curl -s -X POST http://localhost:8080/api/v1/auth/{} -d '{}'"
    confirm = posted.format("password/confirm", json.dumps({"token": token_in(letter), "password": password}))
    assert _document(shell, confirm)["data"]["status"] == "ok"
    assert _document(shell, confirm)["error"]["details"]["reason"] == "not_good"
    login = posted.format("login", json.dumps({"email": "user@example.com", "password": password}))
    found: str = _document(shell, login)["data"]["user"]["email"]
    return found


def test_without_a_mail_server_whoever_has_the_database_is_shown_the_link(shell: Shell):
    assert "/reset-password#token=" in run(shell, RESET)


def test_nobody_who_is_not_there_gets_a_link_from_the_database(shell: Shell):
    output = run(shell, f"{RESET.replace('user@', 'nobody@')} 2>&1", exit_code=1)
    assert "Nobody has the address nobody@example.com" in output
