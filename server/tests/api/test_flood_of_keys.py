"""A flood of wrong keys costs its sender, and not those who have a right one."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from cost_ops.services import access
from tests.api.running import Server

WRONG = [f"sk_live_{number:08d}_{'x' * 43}" for number in range(12)]


@dataclass
class Gate:
    """Holds every verification until it is opened, and counts those that are under way."""

    opened: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lock: threading.Lock = field(default_factory=threading.Lock)
    inside: int = 0
    most: int = 0
    all_told: int = 0


@pytest.fixture
def gate(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """From here on nobody is verified until the gate opens; the server's own key was, before."""
    assert server.get("costs").status == 200
    found, verify = Gate(), access.authenticate

    def held(*asked: Any) -> Any:
        with found.lock:
            found.inside += 1
            found.all_told += 1
            found.most = max(found.most, found.inside)
        found.arrived.release()
        try:
            assert found.opened.wait(60)
            return verify(*asked)
        finally:
            with found.lock:
                found.inside -= 1

    monkeypatch.setattr(access, "authenticate", held)
    yield found
    found.opened.set()


def test_who_is_known_does_not_wait_for_strangers(server: Server, gate: Gate) -> None:
    with ThreadPoolExecutor(len(WRONG)) as flood:
        refused = [flood.submit(server.get, "costs", key=key) for key in WRONG]
        for _ in range(2):
            assert gate.arrived.acquire(timeout=30)
        assert [server.get("costs").status for _ in range(5)] == [200] * 5
        assert server.get("/health", key=None).status == 200
        assert not any(answer.done() for answer in refused)
        gate.opened.set()
        assert {answer.result().status for answer in refused} == {401}
    assert gate.most == 2, "so many threads verify, and no more"


def test_a_wrong_key_is_verified_once_however_often_it_comes(server: Server, gate: Gate) -> None:
    gate.opened.set()
    with ThreadPoolExecutor(8) as flood:
        answers = [flood.submit(server.get, "costs", key=WRONG[0]) for _ in range(16)]
        assert {answer.result().status for answer in answers} == {401}
    assert gate.all_told == 1
