"""The audit trail from the command line: on both databases, and through a server."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cost_ops.bootstrap import open_application
from cost_ops.settings import load_settings
from cost_ops.storage.database import Database
from tests.api.test_audit import check_export
from tests.cli.conftest import Shell, add_gpt4
from tests.cli.test_remote import Server, server  # noqa: F401 (a fixture)

CHANGES = ("gpt-4", "m-1", "m-2", "m-3")


@pytest.fixture
def filled(any_shell: Shell) -> Shell:
    """A ledger whose organisation `default` has a few prices."""
    add_gpt4(any_shell)
    for model in CHANGES[1:]:
        price = ("--model", model, "--input-price", "1", "--output-price", "2")
        any_shell("pricing", "add", "--organization", "default", "--provider", "openai", *price)
    return any_shell


def change(statement: str) -> None:
    """What somebody with the database in their hands does."""
    application = open_application(load_settings())
    storage = application.storage
    assert isinstance(storage, Database)
    with storage.transaction() as tx:
        tx.write(text(statement))
    application.close()


def test_events_are_found_by_what_is_asked(filled: Shell) -> None:
    events = filled.json("audit", "list", "--action", "prices.added", "--organization", "default")
    assert len(events) == 3
    (found,) = filled.json("audit", "list", "--resource", events[1]["resource"])
    assert found == events[1]
    assert filled.json("audit", "list", "--actor", "nobody") == []
    assert filled.json("audit", "list", "--address", "10.0.0.1") == []
    assert filled.json("audit", "list", "--end", "2020-01-01") == []
    assert len(filled.json("audit", "list", "--start", "2020-01-01", "--action", "prices.added", "--limit", "2")) == 2
    shown = filled("audit", "list", "--limit", "1").stdout
    assert "older events; --limit shows more." in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "2025" in filled("audit", "list", "--start", "soon 2025", code=2).stderr


def test_verify_before_and_after_a_row_is_edited_by_hand(filled: Shell) -> None:
    before = filled("audit", "verify").stdout
    assert re.search(r"^ *default +\d+ +whole *$", before, re.MULTILINE)
    assert "(installation)" in before
    noted = re.findall(r"^\S*:\d+:[0-9a-f]{64}$", before, re.MULTILINE)
    assert len(noted) == 2
    expected = [word for head in noted for word in ("--expect", head)]
    assert filled.json("audit", "verify", *expected)["whole"] is True

    change("UPDATE audit_events SET actor = 'key9' WHERE chain = 'default' AND sequence = 2")
    after = filled("audit", "verify", code=1).stdout
    assert "1 wrong" in after
    assert re.search(r"^ *default +2 +\d+ +changed", after, re.MULTILINE)
    assert "what it says does not fit its hash" in " ".join(after.split())
    assert max(len(line) for line in after.splitlines() if ":" not in line) <= 80
    assert filled("audit", "verify", "-o", "csv", code=1).stdout.splitlines()[0] == "chain,whole,events,head,faults"
    found = filled.json("audit", "verify", "--organization", "default", code=1)
    assert [(fault["kind"], fault["sequence"]) for fault in found["data"][0]["faults"]] == [("changed", 2)]


def test_a_trail_that_was_hashed_anew_is_found_by_what_was_noted(filled: Shell) -> None:
    (chain,) = filled.json("audit", "verify", "--organization", "default")["data"]
    last = chain["events"]
    change(f"DELETE FROM audit_events WHERE chain = 'default' AND sequence = {last}")
    hashed = f"(SELECT hash FROM audit_events WHERE chain = 'default' AND sequence = {last - 1})"
    change(f"UPDATE audit_chains SET length = {last - 1}, head = {hashed} WHERE chain = 'default'")
    assert filled.json("audit", "verify")["whole"] is True
    shown = filled("audit", "verify", "--expect", f"default:{chain['head']}", code=1).stdout
    assert "the event that was noted is not there" in " ".join(shown.split())
    filled("audit", "verify", "--organization", "default", "--expect", chain["head"], code=1)


def test_an_expectation_that_is_none_is_refused(shell: Shell) -> None:
    assert "must be SEQUENCE:HASH" in shell("audit", "verify", "--expect", "42", code=2).stderr
    shown = shell("audit", "verify", "--organization", "default", "--expect", f"other:1:{'a' * 64}", code=2).stderr
    assert "expect names the chain 'other'" in shown


def exported(path: Path) -> list[dict[str, Any]]:
    packed = path.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    return [json.loads(line) for line in content.splitlines()]


def test_an_export_is_complete_and_can_be_checked(filled: Shell) -> None:
    assert "events written to trail.jsonl" in filled("audit", "export", "--output", "trail.jsonl").stderr
    events = exported(filled.folder / "trail.jsonl")
    assert {event["chain"] for event in events} == {"", "default"}
    check_export(events)
    filled("audit", "export", "--output", "t.jsonl.gz", "--compress", "--organization", "default", "--quiet")
    assert exported(filled.folder / "t.jsonl.gz") == [event for event in events if event["chain"] == "default"]
    assert len(filled("audit", "export", "--output", "-").stdout.splitlines()) == len(events)


def test_the_same_commands_work_through_a_server(empty_shell: Shell, server: Server) -> None:  # noqa: F811
    own = ("--api-url", server.url, "--api-key", server.key)
    admin = ("--api-url", server.url, "--api-key", server.admin_key)
    for model in range(3):
        price = ("--model", f"r-{model}", "--input-price", "1", "--output-price", "2")
        empty_shell("pricing", "add", "--provider", "openai", *price, *own)
    events = empty_shell.json("audit", "list", "--limit", "200", *own)
    assert len(events) >= 3
    assert {event["address"] for event in events[:3]} == {"127.0.0.1"}
    assert empty_shell.json("audit", "list", "--limit", "200", "--start", "2020-01-01", *own) == events
    found = empty_shell.json("audit", "verify", *own)
    assert [chain["chain"] for chain in found["data"]] == ["default"]
    head = found["data"][0]["head"]
    assert empty_shell.json("audit", "verify", "--expect", head, *own)["whole"] is True
    wrong = f"{head.split(':')[0]}:{'0' * 64}"
    assert empty_shell.json("audit", "verify", "--expect", wrong, *own, code=1)["whole"] is False
    empty_shell("audit", "export", "--output", "trail.jsonl", *admin)
    check_export(exported(empty_shell.folder / "trail.jsonl"))
    assert {chain["chain"] for chain in empty_shell.json("audit", "verify", *admin)["data"]} >= {"", "default"}
