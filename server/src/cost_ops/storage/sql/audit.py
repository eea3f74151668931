"""Audit events. Nothing here changes or deletes one, and what was changed by hand is read all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select, union, update

from cost_ops.domain.audit import AuditEvent, link, stored
from cost_ops.domain.audit_chain import Head
from cost_ops.domain.periods import to_us
from cost_ops.interfaces.changes import AuditPlace
from cost_ops.storage.access_tables import audit_chains
from cost_ops.storage.sql.audit_rows import event_of, head_of, head_read, read
from cost_ops.storage.sql.dialects import insert_or_ignore
from cost_ops.storage.tables import audit_events
from cost_ops.storage.transaction import Transaction

a = audit_events.c
_STREAM_ROWS = 2_000


class StoredAudit:
    """Audit events of an organisation; without one, of all and of the installation."""

    def __init__(self, tx: Transaction, organization_id: str | None) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def add(self, event: AuditEvent) -> None:
        """Store an event at the end of its chain when the transaction commits, so that the chain is held briefly."""
        if not self._tx.audited:
            self._tx.before_commit.append(lambda: append(self._tx))
        self._tx.audited.append(stored(event, self._organization_id))

    def page(
        self,
        *,
        action: str | None = None,
        actor: str | None = None,
        resource: str | None = None,
        address: str | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        before: AuditPlace | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> tuple[list[AuditEvent], int]:
        """Events, newest first, those before a place, and how many there are in all."""
        equal = {a.action: action, a.actor: actor, a.resource: resource, a.address: address}
        wanted: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
        if self._organization_id is not None:
            wanted += [a.chain == self._organization_id, a.organization_id == self._organization_id]
        if start_us is not None:
            wanted.append(a.at >= start_us)
        if end_us is not None:
            wanted.append(a.at < end_us)
        total = self._tx.rows(select(func.count()).select_from(audit_events).where(*wanted))[0][0]
        newest = read(self._tx).where(*wanted)
        if self._organization_id is None:
            newest = newest.where(*([] if before is None else [a.number < before.number])).order_by(a.number.desc())
        else:
            earlier = [] if before is None else [a.sequence < before.sequence]
            newest = newest.where(*earlier).order_by(a.sequence.desc(), a.number.desc())
        return [event_of(row) for row in self._tx.rows(newest.limit(limit).offset(offset))], total

    def chains(self) -> list[str]:
        """The names of the chains that have events or a head."""
        if self._organization_id is not None:
            return [self._organization_id]
        lost = select(a.organization_id).where(a.chain.is_(None))
        named = union(select(a.chain), select(audit_chains.c.chain), lost)
        return sorted({name or "" for (name,) in self._tx.rows(named)})

    def head(self, chain: str) -> Head | None:
        """The end of a chain as it is kept beside it."""
        found = self._tx.rows(head_read(self._tx).where(audit_chains.c.chain == self._bound(chain)))
        return head_of(found[0]) if found else None

    def stream(self, chain: str, after: int = 0) -> Iterator[AuditEvent]:
        """The events of a chain beyond a sequence, in their order and in constant memory, as far as they can be read;
        from 0 on those without a rightful place come first.
        """
        mine = self._bound(chain)
        if not after:
            lost = or_(and_(a.chain.is_(None), _owned(mine)), and_(a.chain == mine, a.sequence.is_(None)))
            strays = read(self._tx).where(lost).order_by(a.number).limit(_STREAM_ROWS)
            yield from map(event_of, self._tx.rows(strays))
        in_order = read(self._tx).where(a.chain == mine, a.sequence.is_not(None)).order_by(a.sequence, a.number)
        later = in_order.where(a.sequence > after) if after else in_order
        for rows in _pieces(self._tx, later) if self._tx.postgres else _steps(self._tx, later, in_order):
            yield from map(event_of, rows)

    def _bound(self, chain: str) -> str:
        return chain if self._organization_id is None else self._organization_id


def _owned(chain: str) -> ColumnElement[bool]:
    """Events of those whom a chain belongs to."""
    return a.organization_id == chain if chain else a.organization_id.is_(None)


def _beyond(sequence: Any, number: int) -> ColumnElement[bool]:
    """What comes after a place; the bound on the sequence alone is what an index can use."""
    return and_(a.sequence >= sequence, or_(a.sequence > sequence, a.number > number))


def _pieces(tx: Transaction, wanted: Select[Any]) -> Iterator[Sequence[Any]]:
    """Rows from a cursor of the server, a piece at a time: a plan that sorts does so once."""
    options = {"stream_results": True, "yield_per": _STREAM_ROWS}
    with tx.connection.execute(wanted, execution_options=options) as result:
        yield from result.partitions()


def _steps(tx: Transaction, first: Select[Any], following: Select[Any]) -> Iterator[Sequence[Any]]:
    """Rows, each piece asked for by the place where the last one ended: no cursor stays open."""
    rows = tx.rows(first.limit(_STREAM_ROWS))
    yield rows
    while len(rows) == _STREAM_ROWS:
        rows = tx.rows(following.where(_beyond(rows[-1].sequence, rows[-1].number)).limit(_STREAM_ROWS))
        yield rows


def append(tx: Transaction) -> None:
    """Put the transaction's events at the ends of their chains, one chain after the other in the order of names."""
    tx.begin_write()
    for chain in sorted({event.chain for event in tx.audited}):
        length, head = _locked(tx, chain)
        rows = []
        for event in tx.audited:
            if event.chain != chain:
                continue
            length += 1
            head = link(event, length, head)
            rows.append({**_values(event), "chain": chain, "sequence": length, "hash": head})
        tx.write(insert(audit_events), rows)
        tx.write(update(audit_chains).where(audit_chains.c.chain == chain).values(length=length, head=head))
    tx.audited.clear()


def _locked(tx: Transaction, chain: str) -> tuple[int, bytes]:
    """Length and head of a chain, which is ours until the transaction ends."""
    tx.write(insert_or_ignore(tx, audit_chains), {"chain": chain, "length": 0, "head": b""})
    c = audit_chains.c
    length, head = tx.rows(select(c.length, c.head).where(c.chain == chain).with_for_update())[0]
    return length, bytes(head)


def _values(event: AuditEvent) -> dict[str, Any]:
    return {
        "organization_id": event.organization_id,
        "at": to_us(event.at),
        "actor": event.actor,
        "action": str(event.action),
        "resource": event.resource,
        "request_id": event.request_id,
        "address": event.address,
        "detail": event.detail,
    }
