"""Whatever the ledger, the network or the disk does: nothing is lost, nothing counts twice, nothing is raised."""

from __future__ import annotations

import errno
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from fakes.ledger import Asked, FakeLedger, Reply, fake_ledger, refusal
from fakes.processes import wait_until
from llm_cost_ops import CostOpsClient, DeliverySettings
from llm_cost_ops.delivery import pace, segments
from llm_cost_ops.notices import NOTICES

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 7, "output_tokens": 1}
KEY = "sk_live_fake_0123456789"


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pace, "_FIRST", 0.01)
    monkeypatch.setattr(pace, "_LONGEST", 0.05)
    monkeypatch.setattr(pace, "_WITHOUT_RIGHT", 0.05)
    NOTICES._silent_until.clear()
    yield
    NOTICES._silent_until.clear()


def background(fake: FakeLedger, timeout: Optional[float] = None, **options: Any) -> CostOpsClient:
    return CostOpsClient(KEY, fake.url, "org-fake", delivery=DeliverySettings(**options), timeout=timeout)


def problem(index: int, field: str, reason: str) -> dict[str, Any]:
    return {"field": f"records[{index}].{field}", "reason": reason, "message": f"{field} {reason}"}


def mixed(asked: Asked, refused: dict[int, dict[str, Any]]) -> Reply:
    """An answer that takes all records but these."""
    results = [
        {"index": n, "error": refused[n]} if n in refused else {"index": n, "usage_id": f"u{n}", "replayed": False}
        for n in range(len(asked.body["records"]))
    ]
    return Reply(201, {"data": {"results": results}})


@pytest.mark.parametrize(
    "reply",
    [
        refusal(500, "INTERNAL_ERROR"),
        refusal(503, Retry_After="0"),
        refusal(429, "RATE_LIMIT_EXCEEDED", Retry_After="0.01"),
        refusal(408),
        Reply(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
        Reply(200, b"<html>a portal</html>", {"Content-Type": "text/html"}),
        Reply(201, {"data": {"results": []}}),
        Reply(201, {"data": {"results": []}}, breaks=5),
        Reply(201, {"data": {}}, breaks=3, after=True),
        Reply(500, b"", after=True),
        refusal(401, "UNAUTHORIZED"),
        refusal(403, "FORBIDDEN"),
        refusal(404, "NOT_FOUND"),
    ],
    ids=lambda reply: f"{reply.status}{'-after' if reply.after else ''}{'-broken' if reply.breaks else ''}",
)
def test_a_ledger_that_fails_for_a_while_has_every_record_once(fake: FakeLedger, reply: Reply) -> None:
    fake.script += [reply] * 3
    with background(fake) as client:
        for number in range(20):
            client.track(**{**CALL, "input_tokens": number})
        assert client.flush(30)
        counters = client.delivery.counters
    assert sorted(record["input_tokens"] for record in fake.records.values()) == list(range(20))
    assert (counters.delivered, counters.rejected, counters.dropped) == (20, 0, 0)
    assert counters.retried == 3


def test_a_server_that_is_away_is_waited_for(fake: FakeLedger) -> None:
    with fake_ledger() as gone:
        url, port = gone.url, int(gone.url.rpartition(":")[2])
    with CostOpsClient(KEY, url, "org-fake", delivery=DeliverySettings()) as client:
        client.track(**CALL)
        wait_until(lambda: client.delivery.counters.retried > 2, "it was tried in vain")
        assert not client.flush(0.05)
        with fake_ledger(port) as back:
            assert client.flush(30)
            assert len(back.records) == 1


def test_a_server_that_says_nothing_is_given_up_and_asked_again(fake: FakeLedger) -> None:
    fake.script += [Reply(silent=True)]
    with background(fake, timeout=0.2) as client:
        client.track(**CALL)
        assert client.flush(30)
    assert len(fake.records) == 1


def test_retry_after_is_waited_for_even_by_who_flushes(fake: FakeLedger) -> None:
    fake.script += [refusal(429, "RATE_LIMIT_EXCEEDED", Retry_After="2")]
    with background(fake) as client:
        client.track(**CALL)
        wait_until(lambda: client.delivery.counters.retried == 1, "it was told to wait")
        assert not client.flush(0.3)
        assert len(fake.asked) == 1
        assert client.flush(30)


def test_a_storm_of_429_ends_with_every_record_there(fake: FakeLedger) -> None:
    fake.script += [refusal(429, "RATE_LIMIT_EXCEEDED", Retry_After="0")] * 40
    with background(fake) as client:
        for _ in range(3000):
            client.track(**CALL)
        assert client.flush(60)
    assert len(fake.records) == 3000


def test_batches_that_are_too_large_are_halved(fake: FakeLedger) -> None:
    def too_large(asked: Asked) -> Optional[Reply]:
        return refusal(413, "INVALID_REQUEST") if len(asked.body["records"]) > 10 else None

    fake.on_request = too_large
    with background(fake) as client:
        for _ in range(100):
            client.track(**CALL)
        assert client.flush(60)
    assert len(fake.records) == 100


@pytest.mark.parametrize("status", [400, 500])
def test_one_record_that_a_server_fails_on_holds_up_no_other(fake: FakeLedger, status: int) -> None:
    def poisoned(asked: Asked) -> Optional[Reply]:
        poison = any(record["input_tokens"] == 13 for record in asked.body["records"])
        return refusal(status, "INTERNAL_ERROR") if poison else None

    fake.on_request = poisoned
    with background(fake) as client:
        for number in range(40):
            client.track(**{**CALL, "input_tokens": number})
        assert not client.flush(60)
        counters = client.delivery.counters
        rejected = (client.delivery.folder / "rejected.jsonl").read_text().splitlines()
    assert (counters.delivered, counters.rejected) == (39, 1)
    assert [json.loads(line)["record"]["input_tokens"] for line in rejected] == [13]
    assert len(fake.records) == 39


def test_what_the_ledger_refuses_is_set_aside_with_the_reason(
    fake: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(asked: Asked) -> Reply:
        error = {"code": "INVALID_REQUEST", "message": "input_tokens must not be negative"}
        return mixed(asked, {1: {**error, "details": problem(1, "input_tokens", "negative")}})

    fake.on_request = refuse
    with background(fake) as client:
        for number in range(3):
            client.track(**{**CALL, "input_tokens": number})
        assert not client.flush(30)
        assert client.flush(30)
        [line] = (client.delivery.folder / "rejected.jsonl").read_text().splitlines()
        counters = client.delivery.counters
    assert json.loads(line)["record"]["input_tokens"] == 1
    assert json.loads(line)["error"]["code"] == "INVALID_REQUEST"
    assert (counters.delivered, counters.rejected) == (2, 1)
    assert "must not be negative" in caplog.text


def test_a_batch_of_which_nothing_is_taken_names_each_record(fake: FakeLedger) -> None:
    def refuse(asked: Asked) -> Reply:
        errors = [problem(n, "input_tokens", "negative") for n in range(len(asked.body["records"]))]
        details = {**errors[0], "errors": errors}
        return Reply(400, {"error": {"code": "INVALID_REQUEST", "message": "no", "details": details}})

    fake.on_request = refuse
    with background(fake) as client:
        for _ in range(5):
            client.track(**CALL)
        assert not client.flush(30)
        assert client.delivery.counters.rejected == 5
    assert len(fake.asked) == 1


@pytest.mark.parametrize("own_key", [False, True])
def test_a_key_of_ours_that_is_there_already_is_delivered(fake: FakeLedger, own_key: bool) -> None:
    def conflict(asked: Asked) -> Reply:
        return mixed(asked, {0: {"code": "CONFLICT", "message": "key was used before", "details": {"usage_id": "u"}}})

    fake.on_request = conflict
    with background(fake) as client:
        client.track(**CALL, **({"request_id": "theirs"} if own_key else {}))
        assert client.flush(30) is not own_key
        counters = client.delivery.counters
    assert (counters.delivered, counters.duplicates, counters.rejected) == ((0, 0, 1) if own_key else (1, 1, 0))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("metadata", {"long": "x" * 5000, "short": "kept"}, "too_large"),
        ("user_id", "u" * 300, "too_long"),
        ("project_id", "a\nb", "invalid_characters"),
        ("tags", {f"k{n}": "v" for n in range(80)}, "too_many"),
        ("tags.env", {"env": "x" * 300, "": "no key"}, "too_long"),
        ("tags", {"deep": {"er": 1}}, "invalid_type"),
    ],
)
def test_a_part_that_the_ledger_refuses_is_made_fit_and_the_record_goes(
    fake: FakeLedger, field: str, value: Any, reason: str
) -> None:
    def refuse_once(asked: Asked) -> Optional[Reply]:
        if len(fake.asked) > 1:
            return None
        return mixed(asked, {0: {"code": "INVALID_REQUEST", "message": "no", "details": problem(0, field, reason)}})

    fake.on_request = refuse_once
    name = field.partition(".")[0]
    with background(fake) as client:
        client.track(**CALL, **{name: value})
        assert client.flush(30)
        assert client.delivery.counters.mended == 1
    [record] = fake.records.values()
    assert {part: record[part] for part in CALL} == CALL
    assert record[name] != value
    assert len(json.dumps(record[name])) <= 4096


def test_a_clock_that_is_ahead_is_put_right_by_the_servers(fake: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    hour, true_ns = 3600, time.time_ns
    for where in ("time.time_ns", "llm_cost_ops.tracking.time_ns"):
        monkeypatch.setattr(where, lambda: true_ns() + hour * 10**9)

    def in_the_future(asked: Asked) -> Optional[Reply]:
        if _seconds(asked.body["records"][0]["timestamp"]) < time.time() + 300:
            return None
        return mixed(
            asked,
            {0: {"code": "INVALID_REQUEST", "message": "no", "details": problem(0, "timestamp", "in_the_future")}},
        )

    fake.on_request = in_the_future
    with background(fake) as client:
        client.track(**CALL)
        assert client.flush(30)
        assert client.delivery.counters.redated == 1
    first, second = (asked.body["records"][0]["timestamp"] for asked in fake.asked)
    assert first > second
    assert abs(_seconds(first) - _seconds(second) - hour) < 60


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_a_time_of_the_applications_own_is_not_changed(fake: FakeLedger) -> None:
    def in_the_future(asked: Asked) -> Reply:
        return mixed(
            asked,
            {0: {"code": "INVALID_REQUEST", "message": "no", "details": problem(0, "timestamp", "in_the_future")}},
        )

    fake.on_request = in_the_future
    with background(fake) as client:
        client.track(**CALL, timestamp="2099-01-01T00:00:00Z")
        assert not client.flush(30)
        assert client.delivery.counters.rejected == 1


def test_warnings_are_few_and_say_what_is_wrong(fake: FakeLedger, caplog: pytest.LogCaptureFixture) -> None:
    fake.script += [refusal(401, "UNAUTHORIZED", "the API key is unknown")] * 20
    with background(fake) as client:
        for _ in range(5):
            client.track(**CALL)
        assert client.flush(60)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "the API key is unknown" in warnings[0]
    assert KEY not in caplog.text


def test_records_of_a_wrong_key_go_with_the_right_one(fake: FakeLedger) -> None:
    def wrong(asked: Asked) -> Optional[Reply]:
        return refusal(401, "UNAUTHORIZED") if "wrong" in asked.headers["authorization"] else None

    fake.on_request = wrong
    first = CostOpsClient("sk_wrong_0123456789", fake.url, "org-fake", delivery=DeliverySettings(exit_seconds=0.1))
    first.track(**CALL)
    first.close()
    assert fake.records == {}
    with background(fake) as client:
        client.track(**{**CALL, "input_tokens": 8})
        wait_until(lambda: len(fake.records) == 2, "both are in the ledger")
        wait_until(lambda: client.delivery.counters.adopted == 1, "the one that was left is counted as such")


def test_a_limit_of_the_spool_drops_what_has_no_room_and_counts_it(
    fake: FakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    fake.always = refusal(503)
    client = background(fake, spool_limit_bytes=16_384, segment_bytes=4096, exit_seconds=0.1)
    for number in range(500):
        client.track(**{**CALL, "input_tokens": number})
    counters = client.delivery.counters
    assert counters.dropped > 0
    assert counters.tracked + counters.dropped == 500
    size = sum(path.stat().st_size for path in client.delivery.folder.glob("*.segment"))
    assert size <= 16_384
    assert "dropped" in caplog.text
    fake.always = None
    assert not client.flush(30)
    assert sorted(record["input_tokens"] for record in fake.records.values()) == list(range(counters.tracked))
    client.close()


def test_who_chooses_to_block_loses_nothing(fake: FakeLedger) -> None:
    options = {"spool_limit_bytes": 16_384, "segment_bytes": 4096, "when_full": "block", "block_seconds": 30.0}
    with background(fake, **options) as client:
        for _ in range(500):
            client.track(**CALL)
        assert client.flush(60)
        assert client.delivery.counters.dropped == 0
    assert len(fake.records) == 500


def test_blocking_ends_when_its_time_is_over(fake: FakeLedger) -> None:
    fake.always = refusal(503)
    options = {"buffer_records": 3, "spool": False, "when_full": "block", "block_seconds": 0.05, "exit_seconds": 0.0}
    client = background(fake, **options)
    for _ in range(5):
        client.track(**CALL)
    assert client.delivery.counters.dropped == 2
    client.close()


def test_memory_alone_is_bounded_and_delivers(fake: FakeLedger) -> None:
    with background(fake, spool=False, buffer_records=50, linger_seconds=60.0) as client:
        fake.always = refusal(503)
        for _ in range(80):
            client.track(**CALL)
        fake.always = None
        assert not client.flush(30)
        counters = client.delivery.counters
    assert (counters.tracked, counters.dropped, len(fake.records)) == (50, 30, 50)


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_cannot_be_written_to_is_done_without(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    def fail(fd: int, size: int) -> None:
        raise OSError(code, "the disk says no")

    monkeypatch.setattr(segments, "_allocate", fail)
    with background(fake) as client:
        for _ in range(100):
            client.track(**CALL)
        assert client.flush(30)
        assert client.delivery.counters.dropped == 0
    assert len(fake.records) == 100
    assert "the disk says no" in caplog.text


def test_a_disk_that_fills_up_in_between_loses_nothing(fake: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    allocate, made = segments._allocate, []

    def fail(fd: int, size: int) -> None:
        made.append(fd)
        if len(made) > 2:
            raise OSError(errno.ENOSPC, "no space left")
        allocate(fd, size)

    monkeypatch.setattr(segments, "_allocate", fail)
    fake.always = refusal(503)
    with background(fake, segment_bytes=4096) as client:
        for number in range(200):
            client.track(**{**CALL, "input_tokens": number})
        fake.always = None
        assert client.flush(30)
    assert sorted(record["input_tokens"] for record in fake.records.values()) == list(range(200))


def test_a_folder_that_is_a_file_is_done_without(fake: FakeLedger, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with background(fake, spool=tmp_path / "taken") as client:
        client.track(**CALL)
        assert client.flush(30)
    assert len(fake.records) == 1


def test_a_spool_that_somebody_removes_is_made_again(fake: FakeLedger) -> None:
    import shutil

    with background(fake, segment_bytes=4096) as client:
        client.track(**CALL)
        assert client.flush(30)
        shutil.rmtree(client.delivery.folder)
        for _ in range(200):
            client.track(**CALL)
        client.flush(30)
    assert len(fake.records) >= 150


def test_damaged_segments_of_a_dead_process_are_set_aside_and_the_rest_is_sent(fake: FakeLedger) -> None:
    fake.always = refusal(503)
    first = background(fake, exit_seconds=0.0)
    for number in range(50):
        first.track(**{**CALL, "input_tokens": number})
    first.close()
    [segment] = first.delivery.folder.glob("*.segment")
    content = bytearray(segment.read_bytes())
    at = content.index(b'"input_tokens":20')
    content[at : at + 4] = b"\0\0\0\0"
    segment.write_bytes(content)
    (first.delivery.folder / "1-dead.lock").touch()
    (first.delivery.folder / "1-dead.00000000.segment").write_bytes(b"no segment at all")
    fake.always = None
    with background(fake) as client:
        client.track(**{**CALL, "input_tokens": 50})
        wait_until(lambda: len(fake.records) == 50, "the others are in the ledger")
        wait_until(lambda: client.delivery.counters.damaged == 2, "both damages are counted")
    assert {record["input_tokens"] for record in fake.records.values()} == set(range(51)) - {20}
    assert len(list(client.delivery.folder.glob("*.damaged"))) == 2
