"""The audit trail: reading it, checking its chains, and keeping refusals in it.

Whatever changes the ledger writes its event itself, in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from cost_ops.domain.access import authorize
from cost_ops.domain.audit import Action, AuditEvent
from cost_ops.domain.audit_chain import Anchor, ChainCheck, Head, Verdict
from cost_ops.domain.errors import Forbidden, invalid
from cost_ops.domain.refusals import Refusal
from cost_ops.interfaces.changes import AuditPlace, AuditRepository
from cost_ops.interfaces.context import Context

READ = "audit:read"
_TELL_EVERY = 1_000

Watch = Callable[[int, int], None]
"""Told how many events were checked, and how many there are."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A page of events, newest first; of one action, actor, resource, address or range, where they are named.

    `before` is where the page before ended, and goes before `page`. `look_ahead` events beyond the page are read, too.
    """

    action: str | None = None
    page: int = 1
    page_size: int = 20
    actor: str | None = None
    resource: str | None = None
    address: str | None = None
    start_us: int | None = None
    end_us: int | None = None
    before: AuditPlace | None = None
    look_ahead: int = 0


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An event with the hash of the one before it in its chain: what it takes to check it."""

    event: AuditEvent
    previous_hash: bytes


def page(ctx: Context, organization_id: str | None, query: AuditQuery) -> tuple[list[AuditEvent], int]:
    """Events of an organisation, or of the whole installation for an owner who names none, and how many in all."""
    bound = _authorized(ctx, organization_id)
    if bound is None:
        with ctx.storage.installation() as installation:
            return _page(installation.audit, query)
    with ctx.storage.ledger(bound) as ledger:
        return _page(ledger.audit, query)


def export(ctx: Context, organization_id: str | None) -> Iterator[ChainedEvent]:
    """All events, oldest first, one chain after the other; the transaction lasts as long as the iteration."""
    return _exported(ctx, _authorized(ctx, organization_id))


def verify(
    ctx: Context, organization_id: str | None, anchors: Sequence[Anchor] = (), watch: Watch | None = None
) -> list[Verdict]:
    """A verdict on the chain of an organisation, or on all for an owner who names none.

    An anchor that names no chain is of the one that is asked about, or of the installation's.
    """
    bound = _authorized(ctx, organization_id)
    expected: dict[str, list[Head]] = {}
    for anchor in anchors:
        chain = (bound or "") if anchor.chain is None else anchor.chain
        if bound is not None and chain != bound:
            raise invalid("expect", "other_chain", f"expect names the chain {chain[:64]!r}; asked about is {bound!r}")
        expected.setdefault(chain, []).append(anchor.head)
    if bound is None:
        with ctx.storage.installation() as installation:
            chains = sorted({*installation.audit.chains(), *expected})
            return _verdicts(installation.audit, chains, expected, watch)
    with ctx.storage.ledger(bound) as ledger:
        return _verdicts(ledger.audit, [bound], expected, watch)


def record_refusals(ctx: Context, refusals: Sequence[Refusal]) -> None:
    """Keep refused requests, all or none: those of an organisation's callers in its chain, others in the
    installation's. It is the process that calls this, not who was refused.
    """
    with ctx.storage.installation() as installation:
        for refusal in refusals:
            kept = refusal.cut()
            event = ctx.event(Action.REFUSED, kept.resource, organization_id=kept.organization_id, detail=kept.detail())
            installation.audit.add(
                replace(event, actor=kept.actor, at=kept.last_at, address=kept.address, request_id=kept.request_id)
            )


def _authorized(ctx: Context, organization_id: str | None) -> str | None:
    """Whose events may be read. The trail is the whole organisation's: a part of its usage is not enough."""
    bound = authorize(ctx.principal, READ, organization_id)
    if not ctx.principal.scope_of(READ).is_everything:
        raise Forbidden(
            READ, "the audit trail is the whole organisation's, and this credential is bound to a part of it"
        )
    return bound


def _page(audit: AuditRepository, query: AuditQuery) -> tuple[list[AuditEvent], int]:
    return audit.page(
        action=query.action,
        actor=query.actor,
        resource=query.resource,
        address=query.address,
        start_us=query.start_us,
        end_us=query.end_us,
        before=query.before,
        limit=query.page_size + query.look_ahead,
        offset=0 if query.before else (query.page - 1) * query.page_size,
    )


def _exported(ctx: Context, bound: str | None) -> Iterator[ChainedEvent]:
    if bound is None:
        with ctx.storage.installation() as installation:
            for chain in installation.audit.chains():
                yield from _chained(installation.audit, chain)
        return
    with ctx.storage.ledger(bound) as ledger:
        yield from _chained(ledger.audit, bound)


def _chained(audit: AuditRepository, chain: str) -> Iterator[ChainedEvent]:
    previous = b""
    for event in audit.stream(chain):
        yield ChainedEvent(event, previous)
        previous = event.hash


def _verdicts(
    audit: AuditRepository, chains: Sequence[str], expected: dict[str, list[Head]], watch: Watch | None
) -> list[Verdict]:
    """Each chain's head is read before its events and after them: events that come meanwhile are no fault."""
    heads = {chain: audit.head(chain) for chain in chains}
    total = sum(head.sequence for head in heads.values() if head is not None)
    done = 0
    verdicts = []
    for chain in chains:
        check = ChainCheck(chain, heads[chain], expected.get(chain, ()))
        for event in audit.stream(chain):
            check.see(event)
            done += 1
            if watch is not None and done % _TELL_EVERY == 0:
                watch(done, total)
        verdicts.append(check.close(audit.head(chain)))
    return verdicts
