"""Background delivery and the real ledger: refused records, replays, kills and adopted spools, counted in the database."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import outage
import pytest

from fakes.processes import killed, started, wait_until
from ledgers import Ledger
from llm_cost_ops import DeliverySettings

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}
COST = Decimal("0.0035")


def test_what_is_tracked_stands_in_the_ledger_with_its_cost(ledger: Ledger) -> None:
    with ledger.client() as client:
        for _ in range(20):
            client.track(**CALL)
        assert client.flush(30)
        assert client.delivery.counters.delivered == 20
    assert ledger.totals() == (20, 20 * COST)


def test_a_key_without_an_organization_of_the_settings_finds_its_own(ledger: Ledger) -> None:
    with ledger.client(organization_id=None) as client:
        client.track(**CALL)
        assert client.flush(30)
    assert ledger.totals() == (1, COST)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"metadata": {"long": "x" * 6000}}, "more than 4 KB"),
        ({"metadata": {"nul": "a\0b", "deep": {"nul": "\0"}}}, "NUL characters"),
        ({"metadata": ["no", "object"]}, "no object"),
        ({"user_id": "u" * 300}, "too long"),
        ({"project_id": "two\nlines"}, "control characters"),
        ({"session_id": "half \ud83d"}, "half a surrogate pair"),
        ({"tags": {"env": "x" * 300}}, "a long tag"),
        ({"tags": {"": "nothing", "k" * 200: "v", "n": None, "deep": {"a": 1}}}, "tags that are none"),
        ({"tags": {f"k{n}": "v" for n in range(60)}}, "too many tags"),
        ({"metadata": {str(n): "ü" * 100 for n in range(100)}, "team_id": "\x07"}, "several at once"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_goes_without_the_part_that_the_ledger_refuses(
    ledger: Ledger, part: dict[str, Any], reason: str
) -> None:
    with ledger.client() as client:
        client.track(**CALL, **part)
        client.track(**CALL)
        assert client.flush(30), client.delivery.counters
        assert client.delivery.counters.mended >= 1
    assert ledger.totals() == (2, 2 * COST)


def test_records_that_cannot_be_taken_are_set_aside_and_hold_up_no_other(ledger: Ledger) -> None:
    with ledger.client() as client:
        for number in range(10):
            client.track(**{**CALL, "input_tokens": -1 if number % 2 else 1000})
        assert not client.flush(30)
        counters, folder = client.delivery.counters, client.delivery.folder
    assert (counters.delivered, counters.rejected) == (5, 5)
    lines = [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]
    assert [line["record"]["input_tokens"] for line in lines] == [-1] * 5
    assert "must not be negative" in lines[0]["error"]["message"]
    assert ledger.totals() == (5, 5 * COST)


def test_a_whole_batch_that_is_refused_names_every_record(ledger: Ledger) -> None:
    with ledger.client() as client:
        for _ in range(5):
            client.track(provider="openai", model_id="gpt-4o", input_tokens=-1)
        assert not client.flush(30)
        assert client.delivery.counters.rejected == 5


def test_one_key_tracked_twice_is_one_call(ledger: Ledger) -> None:
    with ledger.client() as client:
        client.track(**CALL, idempotency_key="mine", timestamp="2026-11-02T09:15:00Z")
        assert client.flush(30)
        client.track(**CALL, idempotency_key="mine", timestamp="2026-11-02T09:15:00Z")
        assert client.flush(30)
        assert client.delivery.counters.duplicates == 1
    assert ledger.totals() == (1, COST)


def test_a_replay_of_a_whole_spool_counts_nothing_twice(ledger: Ledger, tmp_path: Path) -> None:
    """As after a kill between the answer and its note: the segment says that nothing of it is delivered."""
    options = DeliverySettings(exit_seconds=0.0)
    away = ledger.client(base_url="http://127.0.0.1:9", delivery=options)
    for _ in range(50):
        away.track(**CALL)
    away.close()
    [segment] = away.delivery.folder.glob("*.segment")
    content = segment.read_bytes()
    for _ in range(2):
        with ledger.client() as client:
            folder = client.delivery.folder
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "1-dead.lock").touch()
            (folder / "1-dead.00000000.segment").write_bytes(content)
            client.track(**CALL, idempotency_key="once", timestamp="2026-11-02T09:15:00Z")
            wait_until(lambda: client.delivery.counters.adopted == 50, "the spool is replayed")
            assert client.flush(30)
    assert ledger.totals() == (51, 51 * COST)


def test_a_wrong_key_keeps_everything_for_the_right_one(ledger: Ledger) -> None:
    wrong = ledger.client(api_key="sk_live_wrong_00000000000000000000", delivery=DeliverySettings(exit_seconds=0.2))
    for _ in range(5):
        wrong.track(**CALL)
    wrong.close()
    assert wrong.delivery.counters.waiting_records == 5
    assert "401" in (wrong.delivery.counters.last_error or "")
    with ledger.client() as client:
        client.track(**CALL)
        wait_until(lambda: client.delivery.counters.adopted == 5, "what was left is delivered")
        assert client.flush(30)
    assert ledger.totals() == (6, 6 * COST)


PROGRAM = """
client = CostOpsClient()
for number in range(10**9):
    client.track(provider="openai", model_id="gpt-4o", input_tokens=1000, output_tokens=100)
    os.write(1, b".")
"""


def test_kills_in_the_middle_lose_nothing_and_double_nothing(ledger: Ledger) -> None:
    about = {
        "COST_OPS_API_URL": ledger.url,
        "COST_OPS_API_KEY": ledger.key,
        "COST_OPS_ORGANIZATION": ledger.organization_id,
    }
    returned = 0
    for turn in range(4):
        process = started(PROGRAM, **about)
        assert process.stdout is not None
        told = len(process.stdout.read(700 * (turn + 1)))
        process.kill()
        told += len(process.stdout.read())
        killed(process)
        returned += told
    with ledger.client() as client:
        client.track(**CALL)
        wait_until(
            lambda: (
                not [
                    path
                    for path in client.delivery.folder.glob("*.segment")
                    if not path.name.startswith(f"{os.getpid()}-")
                ]
            ),
            "all is taken over",
        )
        assert client.flush(30)
    requests, cost = ledger.totals()
    assert returned + 1 <= requests <= returned + 1 + 4, "each kill may fall between track's return and its dot"
    assert cost == requests * COST


def test_an_outage_with_kills_loses_nothing_and_doubles_nothing(ledger: Ledger, tmp_path: Path) -> None:
    found = outage.run(tmp_path, seconds=6, rate=300, kills=2)
    assert (found.lost, found.double) == (0, 0)
    assert 1500 < found.tracked <= found.in_ledger <= found.tracked + 2, (
        "a kill may fall between track's return and its note"
    )
