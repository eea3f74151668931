"""What is tracked reaches the ledger, once, and the calling thread notices nothing of it."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.ledger import FakeLedger
from fakes.processes import wait_until
from llm_cost_ops import CostOpsClient, DeliverySettings, cost_context
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.notices import Notices

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 7, "output_tokens": 1}


def background(fake: FakeLedger, **options: Any) -> CostOpsClient:
    """A client whose calls go in the background."""
    return CostOpsClient("sk_live_fake_0123456789", fake.url, "org-fake", delivery=DeliverySettings(**options))


@pytest.fixture
def client(fake: FakeLedger) -> Iterator[CostOpsClient]:
    with background(fake) as client:
        yield client


def stored(fake: FakeLedger) -> list[dict[str, Any]]:
    return list(fake.records.values())


def test_a_tracked_call_reaches_the_ledger_with_time_key_and_organization(
    fake: FakeLedger, client: CostOpsClient
) -> None:
    client.track(**CALL)
    assert client.flush(30)
    [record] = stored(fake)
    assert {name: record[name] for name in CALL} == CALL
    assert record["organization_id"] == "org-fake"
    assert len(record["idempotency_key"]) == 32
    assert record["timestamp"].startswith("20")


def test_it_goes_without_a_flush(fake: FakeLedger, client: CostOpsClient) -> None:
    client.track(**CALL)
    wait_until(lambda: len(fake.records) == 1, "the record is in the ledger")


def test_what_a_record_says_itself_is_kept(fake: FakeLedger, client: CostOpsClient) -> None:
    own = {"timestamp": "2026-11-02T09:15:00Z", "idempotency_key": "mine", "organization_id": "org-other"}
    client.track(**CALL, **own)
    assert client.flush(30)
    assert stored(fake) == [{**CALL, **own}]


def test_metadata_with_the_names_of_fields_takes_nothing_from_a_record(fake: FakeLedger, client: CostOpsClient) -> None:
    client.track(**CALL, metadata={"timestamp": "noon", "organization_id": "theirs", "request_id": "1"})
    assert client.flush(30)
    [record] = stored(fake)
    assert record["organization_id"] == "org-fake"
    assert {"timestamp", "idempotency_key"} <= set(record)


def test_the_organization_of_a_key_is_asked_for_once(fake: FakeLedger) -> None:
    with CostOpsClient("sk_live_fake_0123456789", fake.url) as client:
        for _ in range(2):
            client.track(**CALL)
            assert client.flush(30)
    assert [record["organization_id"] for record in stored(fake)] == ["org-fake"] * 2
    assert sum(asked.path.endswith("whoami") for asked in fake.asked) == 1


def test_a_default_price_goes_with_every_record(fake: FakeLedger) -> None:
    price = {"input_price_per_1k": "0.01", "output_price_per_1k": "0.03"}
    with CostOpsClient("sk_live_fake_0123456789", fake.url, "org-fake", default_pricing=price) as client:
        client.track(**CALL)
        assert client.flush(30)
    assert stored(fake)[0]["default_pricing"] == price


def test_attribution_goes_with_a_record(fake: FakeLedger, client: CostOpsClient) -> None:
    with cost_context(project="search", tags={"env": "prod"}):
        client.track(**CALL)
    assert client.flush(30)
    [record] = stored(fake)
    assert (record["project_id"], record["tags"]) == ("search", {"env": "prod"})


def test_many_calls_from_many_threads_are_each_there_once(fake: FakeLedger, client: CostOpsClient) -> None:
    def track(thread: int) -> None:
        for number in range(500):
            client.track(**{**CALL, "input_tokens": thread * 500 + number})

    threads = [threading.Thread(target=track, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(60)
    assert sorted(record["input_tokens"] for record in stored(fake)) == list(range(4000))
    assert client.delivery.counters.delivered == 4000


def test_batches_are_large_and_compressed(fake: FakeLedger) -> None:
    with background(fake, linger_seconds=5.0) as client:
        for _ in range(2500):
            client.track(**CALL)
        assert client.flush(60)
    posts = [asked for asked in fake.asked if asked.path.endswith("/usage/batch")]
    assert len(posts) <= 10
    assert posts[0].headers["content-encoding"] == "gzip"
    assert max(len(asked.body["records"]) for asked in posts) <= 5000


def test_segments_are_removed_when_their_records_are_in_the_ledger(fake: FakeLedger) -> None:
    client = background(fake, segment_bytes=4096)
    for _ in range(200):
        client.track(**CALL)
    assert client.flush(60)
    client.close()
    assert list(client.delivery.folder.iterdir()) == []


def test_the_folder_is_the_owners_alone_and_holds_no_key(fake: FakeLedger) -> None:
    fake.always = None
    with CostOpsClient("sk_live_fake_0123456789", fake.url) as client:
        client.track(**CALL)
        folder = client.delivery.folder
        assert folder.stat().st_mode & 0o777 == 0o700
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o777 == 0o600
            assert b"sk_live" not in path.read_bytes()
        assert "sk_live" not in str(folder)


def test_destinations_are_kept_apart(fake: FakeLedger) -> None:
    names = {
        CostOpsClient(key, url, organization).delivery.folder
        for key, url, organization in (
            ("k1", fake.url, "org-a"),
            ("k1", fake.url, "org-b"),
            ("k1", fake.url, None),
            ("k2", fake.url, None),
            ("k1", "http://elsewhere.example", "org-a"),
        )
    }
    assert len(names) == 5
    assert len({CostOpsClient(key, fake.url, "org-a").delivery.folder for key in ("k1", "k2")}) == 1


def test_listeners_hear_of_each_record_once_with_its_result(fake: FakeLedger, client: CostOpsClient) -> None:
    heard: list[Any] = []
    client.delivery.listeners.append(lambda *told: heard.append(told))
    for number in range(3):
        client.track(**{**CALL, "input_tokens": number})
    assert client.flush(30)
    records = [json.loads(record) for told in heard for record in told[0]]
    assert [record["input_tokens"] for record in records] == [0, 1, 2]
    assert sum(len(told[1]) for told in heard) == 3
    assert all(told[2] for told in heard)
    assert any(asked.params.get("details") == "true" for asked in fake.asked)


def test_a_listener_that_fails_stops_nothing(
    fake: FakeLedger, client: CostOpsClient, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*told: object) -> None:
        raise RuntimeError("no")

    client.delivery.listeners.append(fail)
    client.track(**CALL)
    assert client.flush(30)
    assert client.delivery.counters.delivered == 1


class _Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def _circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    return circle


@pytest.mark.parametrize(
    "bad",
    [float("nan"), float("inf"), "\ud800", {1: 2}, {(1, 2): 3}, {b"k": 1}, {1, 2}, object(), _Unspeakable(), _circle(),
     b"bytes", Decimal("0.1"), "x" * 1_000_000, [[[[]]]], lambda: None],
    ids=["nan", "infinity", "surrogate", "number as key", "tuple as key", "bytes as key", "set", "object", "unspeakable", "circle",
         "bytes", "decimal", "long text", "nested lists", "function"],
)  # fmt: skip
def test_metadata_that_json_cannot_hold_does_not_keep_a_record_back(
    fake: FakeLedger, client: CostOpsClient, bad: Any
) -> None:
    client.track(**CALL, metadata={"good": "kept", "bad": bad})
    assert client.flush(30)
    [record] = stored(fake)
    assert {name: record[name] for name in CALL} == CALL
    assert client.delivery.counters.tracked == 1


def test_a_failure_of_ours_is_counted_and_not_raised(fake: FakeLedger, client: CostOpsClient) -> None:
    client.tracker.track(None)  # type: ignore[arg-type]
    client.tracker.failed(RuntimeError("an instrumentor failed"))
    assert client.delivery.counters.failed == 2


def test_a_delivery_that_cannot_be_made_is_not_the_applications_trouble(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> None:
        raise ImportError("half imported")

    monkeypatch.setattr(CostOpsClient, "_made_delivery", fail)
    client = background(fake)
    assert client.track(**CALL) is None
    client.close()
    assert fake.asked == []


def test_a_client_that_nobody_has_any_more_leaves_no_thread(fake: FakeLedger) -> None:
    def threads() -> int:
        return sum(thread.name == "llm-cost-ops" for thread in threading.enumerate())

    before = threads()
    client = background(fake)
    client.track(**CALL)
    del client
    gc.collect()
    wait_until(lambda: len(fake.records) == 1, "its record is in the ledger")
    wait_until(lambda: threads() <= before, "its thread has ended")


def test_what_is_tracked_after_close_is_in_the_spool_for_the_next(fake: FakeLedger) -> None:
    client = background(fake)
    client.close()
    client.track(**CALL)
    assert client.delivery.counters.waiting_records == 1
    assert fake.records == {}
    client.delivery._store.release(reading=False)
    with background(fake) as other:
        other.track(**{**CALL, "input_tokens": 8})
        wait_until(lambda: len(fake.records) == 2, "both are in the ledger")


def test_closing_twice_is_closing_once(fake: FakeLedger) -> None:
    client = background(fake)
    client.track(**CALL)
    client.close()
    client.close()
    assert len(fake.records) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"when_full": "burn"},
        {"batch_records": 0},
        {"batch_records": 10_001},
        {"exit_seconds": -1},
        {"spool_limit_bytes": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong)).split("_")[0]):
        DeliverySettings(**wrong)


def test_the_spool_is_where_the_environment_says(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COST_OPS_SPOOL", str(tmp_path / "there"))
    assert background(fake).delivery.folder.parent == tmp_path / "there"
    monkeypatch.delenv("COST_OPS_SPOOL")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert background(fake).delivery.folder.parent == tmp_path / "state" / "llm-cost-ops" / "spool"
    assert background(fake, spool=tmp_path / "here").delivery.folder.parent == tmp_path / "here"
    assert background(fake, spool=False).delivery.folder is None


def test_warnings_of_a_kind_come_once_a_minute_with_their_number(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices, now = Notices(), [100.0]
    monkeypatch.setattr("llm_cost_ops.notices.time.monotonic", lambda: now[0])
    for _ in range(5):
        notices.warn("a", "it happened")
    now[0] += 61
    notices.warn("a", "it happened")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["it happened", "it happened (and 4 times since the last such warning)"]


def test_counters_show_what_is_not_nothing(fake: FakeLedger, client: CostOpsClient) -> None:
    client.track(**CALL)
    assert client.flush(30)
    assert repr(client.delivery.counters) == "Counters(tracked=1, delivered=1)"
    assert "sk_live" not in repr(client.delivery)


def test_the_process_that_holds_a_spool_is_named_in_it(fake: FakeLedger, client: CostOpsClient) -> None:
    client.track(**CALL)
    assert [path.name.split("-")[0] for path in client.delivery.folder.glob("*.lock")] == [str(os.getpid())]
