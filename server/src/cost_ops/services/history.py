"""Reading recorded usage back: pages, newest first, and streams, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cost_ops.domain.access import authorize, check_scope
from cost_ops.domain.costs import Filter
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Position


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A page of records: a range (either end open), filters, and where to begin."""

    start_us: int | None = None
    end_us: int | None = None
    filters: tuple[Filter, ...] = ()
    page: int = 1
    page_size: int = 20
    before: Position | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Records, newest first; `next_position` is None on the last page."""

    records: list[UsageRecord]
    next_position: Position | None


def page(ctx: Context, organization_id: str, query: HistoryQuery) -> HistoryPage:
    """One page of the organisation's records, newest first."""
    bound = authorize(ctx.principal, "usage:read", organization_id)
    filters = check_scope(ctx.principal, "usage:read", query.filters)
    with ctx.storage.ledger(bound or organization_id) as ledger:
        found = ledger.usage.page(
            start_us=query.start_us,
            end_us=query.end_us,
            filters=filters,
            limit=query.page_size + 1,
            before=query.before,
            offset=0 if query.before else (query.page - 1) * query.page_size,
        )
    records = found[: query.page_size]
    more = len(found) > query.page_size
    return HistoryPage(records, Position(*parse_usage_id(records[-1].usage_id)) if more else None)


def stream(
    ctx: Context, organization_id: str, *, start_us: int | None, end_us: int | None, filters: Sequence[Filter] = ()
) -> Iterator[UsageRecord]:
    """All records of a range, oldest first, in constant memory; the transaction lasts as long as the iteration."""
    bound = authorize(ctx.principal, "usage:read", organization_id)
    inside = check_scope(ctx.principal, "usage:read", filters)
    with ctx.storage.ledger(bound or organization_id) as ledger:
        yield from ledger.usage.stream(start_us=start_us, end_us=end_us, filters=inside)
