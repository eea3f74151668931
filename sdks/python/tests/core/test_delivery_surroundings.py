"""What others do to us: wrong servers, signals, hostile objects, too few files, clients that nobody keeps."""

from __future__ import annotations

import gc
import logging
import operator
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.ledger import Asked, FakeLedger, Reply, refusal
from fakes.processes import ran, wait_until
from llm_cost_ops import CostOpsClient, DeliverySettings
from llm_cost_ops.delivery import adopted, frames, pace, segments
from llm_cost_ops.delivery.spool import Spool
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


def background(fake: FakeLedger, **options: Any) -> CostOpsClient:
    return CostOpsClient(KEY, fake.url, "org-fake", delivery=DeliverySettings(**options))


def left_by_a_dead_process(folder: Path, number: int) -> None:
    """A segment with one record, and its lock that nobody holds."""
    (folder / f"{number}-dead.lock").touch()
    writer = segments.Writer(folder / f"{number}-dead.00000000.segment", 4096)
    record = b'{"provider":"openai","model_id":"gpt-4o","input_tokens":%d}' % number
    assert writer.put(frames.packed(record, os.urandom(16), 1))
    writer.close()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, b"<html>a plain request to a TLS port</html>", {"Content-Type": "text/html"}),
        Reply(422, {"detail": [{"loc": ["body"], "msg": "field required"}]}),
        Reply(415, b"no"),
        Reply(409, b""),
        Reply(400, {"error": "bad request"}),
        Reply(400, {"error": {"message": "no", "code": "bad", "details": [1]}}),
        Reply(201, {"data": {"results": ["a"]}}),
        Reply(200, b"[" * 100_000),
    ],
    ids=["html", "another-service", "text", "empty", "another-error", "odd-details", "odd-results", "deep"],
)
def test_what_is_no_ledger_judges_no_record(fake: FakeLedger, reply: Reply) -> None:
    fake.always = reply
    with background(fake) as client:
        client.track(**CALL)
        wait_until(lambda: client.delivery.counters.retried > 4, "it was tried")
        assert client.delivery.counters.rejected == 0
        fake.always = None
        assert client.flush(30)
    assert len(fake.records) == 1


def test_an_answer_that_we_fail_on_holds_up_no_other_record(fake: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    def strange(asked: Asked) -> Reply:
        results = [
            {"index": n, "error": [1]} if record["input_tokens"] == 3 else {"index": n, "usage_id": f"u{n}"}
            for n, record in enumerate(asked.body["records"])
        ]
        return Reply(201, {"data": {"results": results}})

    from llm_cost_ops.delivery import posting

    read = posting.read_answer

    def failing(answer: Any, count: int) -> Any:
        if b"[1]" in answer.body:
            raise LookupError("a fault of ours")
        return read(answer, count)

    monkeypatch.setattr(posting, "read_answer", failing)
    fake.on_request = strange
    with background(fake) as client:
        for number in range(8):
            client.track(**{**CALL, "input_tokens": number})
        assert not client.flush(30), "one was refused"
        counters = client.delivery.counters
    assert (counters.delivered, counters.rejected) == (7, 1)


@pytest.mark.parametrize("before", [True, False], ids=["before it is written", "after it is written"])
def test_an_exception_of_a_signal_inside_track_leaves_nothing_behind_that_waits(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    put = Spool.put

    def interrupted(spool: Spool, frame: bytes) -> bool:
        monkeypatch.setattr(Spool, "put", put)
        if not before:
            put(spool, frame)
        raise KeyboardInterrupt

    with background(fake, linger_seconds=0.01) as client:
        client.track(**CALL)
        assert client.flush(30)
        monkeypatch.setattr(Spool, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.track(**{**CALL, "input_tokens": 8})
        for number in range(9, 12):
            client.track(**{**CALL, "input_tokens": number})
            assert client.flush(30)
            assert number in {record["input_tokens"] for record in fake.records.values()}, "flush says that it is there"
        assert client.delivery.counters.waiting_records == 0


def test_who_is_interrupted_while_it_flushes_hurries_nothing_afterwards(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.always = refusal(503)
    with background(fake, exit_seconds=0.1) as client:
        client.track(**CALL)
        store = client.delivery._store

        def interrupt(seconds: float) -> bool:
            raise KeyboardInterrupt

        wait = store.changed.wait
        monkeypatch.setattr(store.changed, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.flush(30)
        monkeypatch.setattr(store.changed, "wait", wait)
        assert client.delivery._sender._hurried == 0


def test_a_process_without_files_to_open_loses_nothing(fake: FakeLedger, tmp_path: Path) -> None:
    program = """
    import resource
    client = CostOpsClient(organization_id="org-fake")
    client.usage.get_history()
    opened = []
    client.delivery._store._spool.folder.mkdir(parents=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    sender = client.delivery._sender
    sender._not_before = time.monotonic() + 3600
    for number in range(50):
        client.track(**call(number))
    while True:
        try:
            opened.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            break
    sender._not_before = 0.0
    assert not client.flush(0.5)
    for fd in opened:
        os.close(fd)
    assert client.flush(30), client.delivery.counters
    assert client.delivery.counters.damaged == 0, client.delivery.counters
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert len(fake.records) == 50


def test_many_dead_processes_are_taken_over_a_few_at_a_time(fake: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopted, "_MOST_AT_ONCE", 3)
    held: list[int] = []
    with background(fake) as client:
        folder = client.delivery.folder
        folder.mkdir(parents=True)
        for number in range(10):
            left_by_a_dead_process(folder, number)
        adopting = client.delivery._store._spool._adopted

        def look(asked: Asked) -> None:
            held.append(len(adopting._left))

        fake.on_request = look
        client.track(**CALL)
        wait_until(lambda: len(fake.records) == 11, "all of them are in the ledger")
        wait_until(lambda: not list(folder.glob("*-dead.*")), "nothing of them is left")
    assert max(held) <= 3


def test_clients_that_nobody_has_any_more_do_not_wait_for_a_ledger_for_ever(fake: FakeLedger) -> None:
    def threads() -> int:
        return sum(thread.name == "llm-cost-ops" for thread in threading.enumerate())

    fake.always = refusal(503)
    before = threads()
    for _ in range(5):
        background(fake, exit_seconds=0.05).track(**CALL)
    gc.collect()
    wait_until(lambda: threads() <= before, "their threads have ended")
    fake.always = None
    with background(fake) as client:
        client.track(**CALL)
        wait_until(lambda: len(fake.records) == 6, "what they left is in the ledger")


def test_what_a_process_leaves_takes_no_more_room_than_its_records(fake: FakeLedger) -> None:
    fake.always = refusal(503)
    client = background(fake, exit_seconds=0.05)
    client.track(**CALL)
    client.close()
    [segment] = client.delivery.folder.glob("*.segment")
    assert segment.stat().st_size < 1000


def test_a_log_that_tracks_and_a_disk_that_fails_do_not_wait_for_each_other(fake: FakeLedger, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    free: list[bool] = []

    class Tracking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            def try_it() -> None:
                free.append(client.delivery._store.lock.acquire(timeout=10))
                if free[-1]:
                    client.delivery._store.lock.release()

            thread = threading.Thread(target=try_it)
            thread.start()
            thread.join()

    handler = Tracking()
    logging.getLogger("llm_cost_ops").addHandler(handler)
    try:
        client = background(fake, spool=in_the_way, buffer_records=1)
        client.delivery._sender._not_before = time.monotonic() + 3600
        client.track(**CALL)
        client.track(**CALL)
        assert free == [True, True], "the disk and the room"
    finally:
        logging.getLogger("llm_cost_ops").removeHandler(handler)
    client.delivery._sender._not_before = 0.0
    client.close()


class _Whole:
    """A whole number of another package."""

    def __index__(self) -> int:
        return 1200


class _Hostile(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise KeyError("no")

    keys = items


@pytest.mark.parametrize(
    "bad", [10**5000, _Hostile(a=1), {"deeper": _Hostile(a=1)}], ids=["endless number", "hostile", "hostile within"]
)
def test_what_cannot_be_said_at_all_is_named_and_the_record_goes(fake: FakeLedger, bad: Any) -> None:
    with background(fake) as client:
        client.track(**CALL, metadata={"good": "kept", "bad": bad})
        assert client.flush(30)
        assert client.delivery.counters.mended == 1
    [record] = fake.records.values()
    assert record["metadata"]["good"] == "kept"


def test_metadata_that_changes_meanwhile_does_not_keep_a_record_back(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with background(fake) as client:

        def changed(fields: Any) -> str:
            monkeypatch.undo()
            raise RuntimeError("dictionary changed size during iteration")

        monkeypatch.setattr(client.tracker, "_encode", changed)
        client.track(**CALL, metadata={"good": "kept"})
        assert client.flush(30)
    [record] = fake.records.values()
    assert record["metadata"] == {"good": "kept"}


def test_whole_numbers_of_other_packages_are_numbers(fake: FakeLedger) -> None:
    with background(fake) as client:
        client.track(**{**CALL, "input_tokens": _Whole()})
        assert client.flush(30)
    [record] = fake.records.values()
    assert record["input_tokens"] == operator.index(_Whole())


@pytest.mark.parametrize("put_right", [True, False], ids=["put right since", "still wrong"])
def test_a_clock_that_began_in_1970_is_put_right_by_the_servers(
    fake: FakeLedger, monkeypatch: pytest.MonkeyPatch, put_right: bool
) -> None:
    monkeypatch.setattr("llm_cost_ops.tracking.time_ns", lambda: 5 * 10**9)
    if not put_right:
        monkeypatch.setattr("llm_cost_ops.delivery.posting.time.time_ns", lambda: 6 * 10**9)
    problem = {"field": "records[0].timestamp", "reason": "too_early", "message": "too early"}
    error = {"code": "INVALID_REQUEST", "message": "no", "details": problem}

    def too_early(asked: Asked) -> Any:
        early = asked.body["records"][0]["timestamp"].startswith("1970")
        return Reply(201, {"data": {"results": [{"index": 0, "error": error}]}}) if early else None

    fake.on_request = too_early
    with background(fake) as client:
        client.track(**CALL)
        assert client.flush(30)
        assert client.delivery.counters.redated == 1
    assert len(fake.records) == 1
