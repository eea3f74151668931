"""Group commit: nothing is answered before it is written, nothing is dropped, nobody fails for another's record."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from cost_ops.api.app import create_app
from cost_ops.bootstrap import Application
from cost_ops.domain.errors import Unavailable
from tests.api.running import USAGE, Server, add_keys, migrated, opened, serving


class FaultyStorage:
    """A real storage whose recorder can be held up, or made to fail."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fault: Exception | None = None
        self.poison: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    @contextmanager
    def recorder(self) -> Iterator[Any]:
        self.entered.set()
        assert self.gate.wait(30)
        if self.fault is not None:
            raise self.fault
        with self._storage.recorder() as recorder:
            yield _Recorder(recorder, self)


class _Recorder:
    def __init__(self, recorder: Any, owner: FaultyStorage) -> None:
        self._recorder, self._owner = recorder, owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    def append(self, records: Any) -> None:
        if any(r.submission.project_id == self._owner.poison for r in records if self._owner.poison):
            raise ZeroDivisionError("poisoned")
        self._recorder.append(records)


def faulty(url: str, **flags: Any) -> tuple[Application, FaultyStorage]:
    application = opened(url, **flags)
    storage = FaultyStorage(application.storage)
    return replace(application, storage=storage), storage


@contextmanager
def faulty_server(url: str, **flags: Any) -> Iterator[tuple[Server, FaultyStorage]]:
    application, storage = faulty(url, **flags)
    try:
        with serving(application) as server:
            add_keys(server)
            yield server, storage
    finally:
        storage.gate.set()
        application.close()


def in_background(server: Server, body: Any, answers: list[Any], path: str = "usage") -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(server.post(path, body)))
    thread.start()
    return thread


def test_a_full_queue_is_a_503_and_what_waits_is_written(ledger: str) -> None:
    with faulty_server(ledger, ingest__queue_size=2) as (server, storage):
        storage.gate.clear()
        answers: list[Any] = []
        first = in_background(server, USAGE, answers)
        assert storage.entered.wait(10)
        second = in_background(server, USAGE, answers)
        while "cost_ops_ingest_queue_records 2.0" not in server.get("/metrics", key=None).text:
            pass
        for path, body in (("usage", USAGE), ("usage/batch", {"records": [USAGE]})):
            answer = server.post(path, body)
            assert (answer.status, answer.error["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert answer.headers["retry-after"] == str(answer.error["retry_after"]) == "1"
        assert server.get("/health", key=None).status == 200
        storage.gate.set()
        first.join()
        second.join()
        assert [a.status for a in answers] == [201, 201]
        assert server.get("usage/history").body["pagination"]["total_items"] == 2


def test_a_database_that_is_away_is_a_503_with_nothing_written(ledger: str) -> None:
    with faulty_server(ledger) as (server, storage):
        storage.fault = Unavailable("the database cannot be reached", retry_after=2)
        for path, body in (("usage", USAGE), ("usage/batch", {"records": [USAGE, USAGE]})):
            answer = server.post(path, body)
            assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        storage.fault = None
        assert server.get("usage/history").body["data"] == []
        assert server.post("usage", USAGE).status == 201


def test_only_the_poisoned_record_fails(ledger: str) -> None:
    with faulty_server(ledger) as (server, storage):
        storage.poison = "bad"
        storage.gate.clear()
        answers: list[Any] = []
        threads = [in_background(server, USAGE, answers)]
        assert storage.entered.wait(10)
        bad = {**USAGE, "project_id": "bad"}
        threads += [in_background(server, body, answers) for body in (USAGE, bad, USAGE)]
        threads.append(in_background(server, {"records": [USAGE, bad]}, answers, "usage/batch"))
        while "cost_ops_ingest_queue_records 6.0" not in server.get("/metrics", key=None).text:
            pass
        storage.gate.set()
        for thread in threads:
            thread.join()
        assert sorted(a.status for a in answers) == [201, 201, 201, 201, 500]
        failed = next(a for a in answers if a.status == 500)
        assert failed.error["message"] == "An unexpected error occurred"
        assert "poisoned" not in failed.text
        batch = next(a.body["data"] for a in answers if a.status == 201 and "results" in a.body["data"])
        assert (batch["accepted"], batch["rejected"]) == (1, 1)
        assert batch["results"][1]["error"]["code"] == "INTERNAL_ERROR"
        atomic = server.post("usage/batch?atomic=true", {"records": [USAGE, bad]})
        assert atomic.status == 500
        assert server.get("usage/history").body["pagination"]["total_items"] == 4


def test_a_client_that_went_away_has_its_record_written(ledger: str) -> None:
    with faulty_server(ledger) as (server, storage):
        storage.gate.clear()
        with pytest.raises(Exception, match="timed out"):
            server.client.post(
                f"{server.url}/api/v1/usage",
                json=USAGE,
                headers={"Authorization": f"Bearer {server.keys['org']}"},
                timeout=0.5,
            )
        storage.gate.set()
        while not server.get("usage/history").body["data"]:
            pass


def test_the_end_of_the_server_waits_for_what_was_taken_in(ledger: str) -> None:
    answers: list[Any] = []
    application, storage = faulty(ledger)
    with serving(application) as server:
        add_keys(server)
        storage.gate.clear()
        threads = [in_background(server, USAGE, answers) for _ in range(5)]
        while "cost_ops_ingest_queue_records 5.0" not in server.get("/metrics", key=None).text:
            pass
        server.process.should_exit = True
        threading.Timer(0.5, storage.gate.set).start()
        for thread in threads:
            thread.join()
        assert [a.status for a in answers] == [201] * 5
    application.close()


def test_ready_says_when_the_database_is_away(ledger: str) -> None:
    with faulty_server(ledger) as (server, storage):
        assert server.get("/ready", key=None).body["checks"]["committer"] == {"ok": True}

        def away() -> None:
            raise Unavailable("the database cannot be reached")

        storage.__dict__["status"] = away
        answer = server.get("/ready", key=None)
        assert answer.status == 503
        assert answer.error["details"]["checks"]["database"]["ok"] is False
        assert server.get("/health", key=None).status == 200


def test_without_its_committer_a_server_takes_nothing(tmp_path: Any) -> None:
    application = opened(migrated(tmp_path))
    app = create_app(application)
    sent: list[Any] = []

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/ready", "headers": [], "query_string": b""}
        await app({**scope, "root_path": "", "http_version": "1.1", "scheme": "http"}, receive, send)

    asyncio.run(ask())
    application.close()
    assert sent[0]["status"] == 503
    assert b"not ready: committer" in sent[1]["body"]
