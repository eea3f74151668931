"""Refusals on their way into the audit trail: folded, bounded, never dropped in silence."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cost_ops.api.metrics import Metrics
from cost_ops.api.refusals import MOST, MOST_OF_ONE, Refusals
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.errors import Unavailable
from cost_ops.services import audit, organizations
from tests.api.running import migrated, opened

AT = datetime.fromisoformat("2026-03-15T12:00:00+00:00")
ASKED: dict[str, Any] = {"method": "GET", "route": "/api/v1/costs", "status": 403, "permission": "costs:read"}


class Kept:
    """Refusals over a real ledger, with a clock of its own."""

    def __init__(self, application: Application) -> None:
        self.now = AT
        self.application = replace(application, clock=lambda: self.now)
        self.metrics = Metrics()
        self.refusals = Refusals(self.application, self.metrics)
        for name in ("acme", "other"):
            organizations.ensure(self.application.context(OWNER), name)

    def events(self, organization_id: str | None = None) -> list[AuditEvent]:
        """What was stored, the oldest first; without an organisation only the installation's own."""
        query = audit.AuditQuery("access.refused", page_size=5_000)
        found = audit.page(self.application.context(OWNER), organization_id, query)[0]
        return [event for event in reversed(found) if event.organization_id == organization_id]

    def counts(self, organization_id: str | None = None) -> list[int]:
        return [(event.detail or {})["count"] for event in self.events(organization_id)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    application = opened(migrated(tmp_path))
    yield Kept(application)
    application.close()


def member(organization_id: str = "acme", key: str = "key1", **about: Any) -> Principal:
    return Principal(organization_id, key, frozenset(), **about)


def test_equal_refusals_become_one_event_with_a_count(kept: Kept) -> None:
    for n in range(50):
        kept.now = AT + timedelta(seconds=n)
        kept.refusals.note(member(), **ASKED, reason=f"r{n}", address="10.0.0.1", request_id=f"req-{n}")
    kept.refusals.note(member(), **ASKED, address="10.0.0.2")
    kept.refusals.note(member(user_id="u1"), **ASKED, address="10.0.0.1")
    assert kept.refusals.flush()
    first, second, third = kept.events("acme")
    assert (first.actor, first.resource, first.request_id) == ("key1", "GET /api/v1/costs", "req-0")
    assert first.detail == {
        "status": 403,
        "required_permission": "costs:read",
        "reason": "r0",
        "count": 50,
        "first_at": AT.isoformat(),
        "last_at": (AT + timedelta(seconds=49)).isoformat(),
    }
    assert (second.address, third.actor) == ("10.0.0.2", "user:u1")
    assert not kept.refusals.flush()


def test_a_caller_that_nobody_knows_is_in_the_chain_of_the_installation(kept: Kept) -> None:
    kept.refusals.note(None, method="MADE-UP" * 99, route="/api/v1/usage", status=401, address="2001:db8::1")
    kept.refusals.note(replace(OWNER, key_id="root"), method="POST", route="/api/v1/usage", status=429)
    kept.refusals.flush()
    unknown, owner = kept.events()
    assert (unknown.actor, unknown.resource, unknown.address) == ("unknown", "OTHER /api/v1/usage", "2001:db8::1")
    assert (owner.actor, (owner.detail or {})["status"]) == ("root", 429)
    assert kept.events("acme") == []


def test_a_flood_is_folded_by_chain_and_hides_nobody_else(kept: Kept) -> None:
    for n in range(5_000):
        kept.refusals.note(None, method="GET", route="/api/v1/costs", status=401, address=f"2001:db8::{n:x}")
    kept.refusals.note(member(), **ASKED)
    kept.refusals.flush()
    assert kept.counts("acme") == [1]
    assert len(kept.counts()) == MOST_OF_ONE + 1
    assert (kept.events()[-1].actor, kept.events()[-1].resource) == ("others", "others")
    assert sum(kept.counts()) == 5_000


def test_all_chains_together_are_bounded_too(kept: Kept) -> None:
    with kept.application.storage.installation() as installation:
        known = installation.organizations()[0]
        for n in range(8):
            installation.add_organization(replace(known, organization_id=f"org-{n}"))
    for n in range(8):
        for k in range(MOST_OF_ONE):
            kept.refusals.note(member(f"org-{n}", f"key{k}"), **ASKED)
    kept.refusals.flush()
    counts = [kept.counts(f"org-{n}") for n in range(8)]
    assert [sum(of_one) for of_one in counts] == [MOST_OF_ONE] * 8
    assert [len(of_one) for of_one in counts] == [MOST_OF_ONE] * (MOST // MOST_OF_ONE) + [1] * 4


def test_while_the_database_is_away_refusals_wait(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(audit, "record_refusals", _away)
        for n in range(3):
            kept.refusals.note(member(), **ASKED)
            kept.refusals.note(None, method="GET", route=f"/r{n}", status=401)
            assert kept.refusals.flush()
    assert kept.events("acme") == []
    kept.now = AT + timedelta(hours=1)
    kept.refusals.note(member(), **ASKED)
    kept.refusals.flush()
    assert (kept.counts("acme"), kept.counts()) == ([4], [1, 1, 1])
    assert (kept.events("acme")[0].detail or {})["first_at"] == AT.isoformat()
    numbers = kept.metrics.text().decode()
    assert "cost_ops_refusal_writes_failed_total 3.0" in numbers
    assert 'cost_ops_refusals_total{status="403"} 4.0' in numbers


def test_what_waits_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(audit, "record_refusals", _away)
        for n in range(3_000):
            kept.refusals.note(None, method="GET", route="/r", status=401, address=str(n))
            if n % 200 == 0:
                kept.refusals.flush()
    kept.refusals.flush()
    assert (len(kept.counts()), sum(kept.counts())) == (MOST_OF_ONE + 1, 3_000)


def _away(*_: Any) -> None:
    raise Unavailable("the database is away")


def test_nothing_is_lost_between_threads_and_at_the_end(kept: Kept) -> None:
    kept.refusals.start()
    begin = threading.Barrier(4)

    def hammer(worker: int) -> None:
        begin.wait()
        for n in range(2_000):
            kept.refusals.note(member(key=f"key{worker}"), **ASKED, address=f"10.0.0.{n % 5}")
            if n % 500 == 0 and worker == 0:
                kept.refusals.flush()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(hammer, range(4)))
    kept.refusals.stop()
    assert sum(kept.counts("acme")) == 8_000
    assert all(verdict.whole for verdict in audit.verify(kept.application.context(OWNER), None))


def test_the_thread_stores_by_itself(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = threading.Event()
    record = audit.record_refusals

    def recorded(*given: Any) -> None:
        record(*given)
        stored.set()

    monkeypatch.setattr(audit, "record_refusals", recorded)
    kept.refusals.start()
    kept.refusals.note(member(), **ASKED)
    assert stored.wait(30)
    kept.refusals.stop()
    assert kept.counts("acme") == [1]


def test_an_organisation_that_is_gone_keeps_nobody_waiting(kept: Kept) -> None:
    kept.refusals.note(member("never-there"), **ASKED)
    kept.refusals.note(member(), **ASKED)
    kept.refusals.flush()
    assert kept.counts("acme") == [1]
