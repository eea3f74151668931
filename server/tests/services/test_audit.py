"""The audit trail: who may read it, what its verification finds, and refusals in it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from cost_ops.bootstrap import Application
from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.audit import Action
from cost_ops.domain.audit_chain import Anchor, FaultKind, Head
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound
from cost_ops.domain.refusals import Refusal
from cost_ops.domain.scopes import of_projects
from cost_ops.services import audit
from cost_ops.storage.database import Database
from tests.domain.builders import NOW
from tests.services.conftest import Desk


def write(desk: Desk, count: int = 5) -> None:
    with desk.application.storage.ledger(desk.org) as ledger:
        for n in range(count):
            ledger.audit.add(desk.ctx.event(Action.PRICE_ADDED, f"price-{n}", detail={"before": None, "after": n}))


def reader(desk: Desk, organization_id: str | None = None) -> Principal:
    return Principal(organization_id or desk.org, "key1", frozenset({"audit:read"}))


def test_a_reader_sees_and_verifies_its_own_chain_only(desk: Desk) -> None:
    write(desk)
    other = Desk(desk.application)
    write(other, 2)
    ctx = desk.context(reader(desk))
    events, total = audit.page(ctx, None, audit.AuditQuery())
    assert sum(event.action == Action.PRICE_ADDED for event in events) == 5
    (verdict,) = audit.verify(ctx, None)
    assert (verdict.chain, verdict.events, verdict.whole) == (desk.org, total, True)
    assert {one.event.organization_id for one in audit.export(ctx, None)} == {desk.org}
    for call in (
        lambda: audit.page(ctx, other.org, audit.AuditQuery()),
        lambda: audit.verify(ctx, other.org),
        lambda: audit.export(ctx, other.org),
    ):
        with pytest.raises(NotFound):
            call()
    for chain in (other.org, "", "nobody"):
        with pytest.raises(InvalidInput, match="expect names the chain"):
            audit.verify(ctx, None, [Anchor(chain, Head(1, bytes(32)))])


@pytest.mark.parametrize("bound", [False, True])
def test_who_may_not_read_the_trail_is_refused_at_once(desk: Desk, bound: bool) -> None:
    principal = Principal(desk.org, "key1", frozenset({*PERMISSIONS} - ({"audit:read"} if not bound else set())))
    ctx = desk.context(replace(principal, scope=of_projects(["search"] if bound else [])))
    for call in (
        lambda: audit.page(ctx, None, audit.AuditQuery()),
        lambda: audit.verify(ctx, None),
        lambda: audit.export(ctx, None),
    ):
        with pytest.raises(Forbidden) as refused:
            call()
        assert refused.value.details["required_permission"] == "audit:read"


def test_the_owner_verifies_every_chain_and_finds_what_was_touched(desk: Desk) -> None:
    write(desk)
    other = Desk(desk.application)
    write(other)
    assert all(verdict.whole for verdict in audit.verify(desk.ctx, None))
    (before,) = audit.verify(desk.ctx, desk.org)
    told: list[tuple[int, int]] = []
    storage = desk.application.storage
    assert isinstance(storage, Database)
    with storage.transaction() as tx:
        change = "UPDATE audit_events SET actor = 'nobody' WHERE chain = :chain AND sequence = 3"
        tx.write(text(change), {"chain": desk.org})
    found = audit.verify(desk.ctx, None, watch=lambda done, total: told.append((done, total)))
    assert [(v.chain, f.kind, f.sequence) for v in found for f in v.faults] == [(desk.org, FaultKind.CHANGED, 3)]
    assert before.head == next(v.head for v in found if v.chain == desk.org)
    noted = [Anchor(desk.org, before.head), Anchor("gone", Head(7, bytes(32))), Anchor(None, Head(10**9, bytes(32)))]
    wrong = {f.chain: f.kind for v in audit.verify(desk.ctx, None, noted) for f in v.faults}
    assert wrong == {desk.org: FaultKind.CHANGED, "gone": FaultKind.ANCHOR, "": FaultKind.ANCHOR}


def test_an_export_can_be_checked_link_by_link(desk: Desk) -> None:
    write(desk)
    exported = list(audit.export(desk.ctx, desk.org))
    assert [one.event.sequence for one in exported] == list(range(1, len(exported) + 1))
    assert [one.event.resource for one in exported[-5:]] == [f"price-{n}" for n in range(5)]
    assert [one.previous_hash for one in exported] == [b"", *(one.event.hash for one in exported[:-1])]
    everything = list(audit.export(desk.ctx, None))
    assert len(everything) >= 5
    assert all(one.previous_hash == b"" for one in everything if one.event.sequence == 1)


def refusal(desk: Desk, **fields: object) -> Refusal:
    about = {
        "organization_id": desk.org,
        "actor": "key1",
        "resource": "GET /api/v1/costs",
        "status": 403,
        "first_at": NOW,
        "last_at": NOW + timedelta(seconds=3),
        "count": 7,
        "permission": "costs:read",
        "address": "203.0.113.9",
        "request_id": "req-1",
    }
    return Refusal(**(about | fields))  # type: ignore[arg-type]


def test_refusals_are_kept_where_they_belong(desk: Desk) -> None:
    unknown = refusal(desk, organization_id=None, actor="unknown", status=401, permission=None, address="2001:db8::1")
    audit.record_refusals(desk.ctx, [refusal(desk), unknown])
    (event,) = audit.page(desk.ctx, desk.org, audit.AuditQuery("access.refused"))[0]
    assert (event.actor, event.resource, event.address, event.request_id) == (
        "key1",
        "GET /api/v1/costs",
        "203.0.113.9",
        "req-1",
    )
    assert event.at == NOW + timedelta(seconds=3)
    assert event.detail == {
        "status": 403,
        "required_permission": "costs:read",
        "count": 7,
        "first_at": NOW.isoformat(),
        "last_at": (NOW + timedelta(seconds=3)).isoformat(),
    }
    newest = audit.page(desk.ctx, None, audit.AuditQuery("access.refused", address="2001:db8::1"))[0][0]
    assert (newest.organization_id, newest.actor) == (None, "unknown")
    assert all(verdict.whole for verdict in audit.verify(desk.ctx, None) if verdict.chain in ("", desk.org))


def test_a_caller_cannot_blow_an_event_up(desk: Desk) -> None:
    long = "x\x00\ud800" * 100_000
    given = dict.fromkeys(("actor", "resource", "permission", "reason", "address", "request_id"), long)
    audit.record_refusals(desk.ctx, [refusal(desk, **given)])
    (event,) = audit.page(desk.ctx, desk.org, audit.AuditQuery("access.refused"))[0]
    assert len(repr(event)) < 2_000
    assert audit.verify(desk.ctx, desk.org)[0].whole


def test_an_admin_of_an_organisation_is_bound_to_it(application: Application, desk: Desk) -> None:
    write(desk)
    admin = desk.context(Principal(desk.org, None, frozenset({*PERMISSIONS, ADMIN}), user_id="u", role="admin"))
    assert [verdict.chain for verdict in audit.verify(admin, None)] == [desk.org]
    with pytest.raises(NotFound):
        audit.verify(admin, Desk(application).org)
