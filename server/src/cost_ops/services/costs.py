"""Answering cost questions: from rollups where they know the answer, from records for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from cost_ops.domain.access import authorize, check_scope
from cost_ops.domain.assembly import assemble
from cost_ops.domain.conversion import Part, convert, parts_of
from cost_ops.domain.costs import CostQuery, CostReport, Filter, SummedRow, data_through
from cost_ops.domain.exchange import Converted
from cost_ops.domain.rollups import CUBES, Cube, Measures, Read, cubes_for, plan
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import CostRepository, Ledger
from cost_ops.services import exchange


def query(ctx: Context, organization_id: str | None, cost_query: CostQuery) -> CostReport:
    """The answer for one organisation; for an owner who names none, for all of them together.

    Raises InvalidInput (too many buckets), Forbidden, NotFound.
    """
    bound = authorize(ctx.principal, "costs:read", organization_id)
    filters = check_scope(ctx.principal, "costs:read", cost_query.filters)
    report = _report(ctx, _covered(ctx, bound), replace(cost_query, filters=filters))
    if ctx.principal.scope_of("costs:read").is_everything:
        return report
    return replace(report, data_through=None)  # it would tell when others last used something


def count_requests(ctx: Context, organization_id: str, cost_query: CostQuery) -> int:
    """How many records a question is about: what pages call `total_items`."""
    bound = authorize(ctx.principal, "usage:read", organization_id)
    filters = check_scope(ctx.principal, "usage:read", cost_query.filters)
    question = replace(cost_query, filters=filters, group_by=(), limit=None)
    report = _report(ctx, _covered(ctx, bound), question)
    return sum(total.requests for total in report.totals)


def _covered(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]


def _report(ctx: Context, organization_ids: Sequence[str], cost_query: CostQuery) -> CostReport:
    slots = cost_query.slots()
    parts = [] if cost_query.display_currency is None else parts_of(slots, *_extent(ctx, organization_ids))
    cubes = () if cost_query.from_records else cubes_for(cost_query.dimensions)
    reads = plan([(s.start_us, s.end_us) for s in parts or slots], cubes)
    found: list[Iterable[SummedRow]] = []
    newest: int | None = None
    for organization_id in organization_ids:
        with ctx.storage.ledger(organization_id) as ledger:
            for read in reads:
                found.append(list(_rows(ledger, read, cost_query)))
            newest = max((n for n in (newest, ledger.costs.newest_us()) if n is not None), default=None)
    about = {
        "data_through": data_through(newest),
        "sources": tuple(sorted({r.cube.grain.value if r.cube else "records" for r in reads})),
    }
    every = [row for rows in found for row in rows]
    if cost_query.display_currency is None:
        return assemble(cost_query, slots, every, **about)
    rows, converted = _converted(ctx, every, parts, cost_query.display_currency)
    whole = replace(cost_query, group_by=(), having=(), limit=None)
    before = assemble(whole, [cost_query.span], (row._replace(slot=0, values=()) for row in every))
    return assemble(cost_query, slots, rows, **about, converted=converted, original_totals=before.totals)


def _extent(ctx: Context, organization_ids: Sequence[str]) -> tuple[int, int]:
    """The instants of the oldest and the newest usage; an empty range where there is none."""
    found: list[int] = []
    for organization_id in organization_ids:
        with ctx.storage.ledger(organization_id) as ledger:
            ends = (ledger.costs.oldest_us(), ledger.costs.newest_us())
            found.extend(instant for instant in ends if instant is not None)
    return (min(found), max(found)) if found else (0, 0)


def _converted(
    ctx: Context, rows: Sequence[SummedRow], parts: Sequence[Part], into: str
) -> tuple[list[SummedRow], Converted]:
    """Rows by part of a slot as rows by slot in one currency, by the rates stored now."""
    currencies = {row.currency for row in rows if row.currency} | {into}
    if not parts:  # no usage in the range: the rows are of whole slots, and there are none
        return [], Converted(into, (), ())
    table = exchange.table_of(ctx, currencies, parts[0].day, parts[-1].day)
    return convert(rows, parts, table, into)


def _rows(ledger: Ledger, read: Read, cost_query: CostQuery) -> Iterable[SummedRow]:
    dimensions, filters = cost_query.plain_dimensions, cost_query.filters
    if read.cube is None:
        return ledger.costs.sum_records(read.windows, dimensions, filters)
    if read.cube.dimension == "tag":
        return _tag_rows(ledger.costs, read.cube, read, dimensions, filters)
    return ledger.costs.sum_cube(read.cube, read.windows, dimensions, filters)


def _tag_rows(
    costs: CostRepository, cube: Cube, read: Read, dimensions: Sequence[str], filters: Sequence[Filter]
) -> Iterator[SummedRow]:
    """Rows of a tag's cube and, for records without the tag, what the cube of everything has beyond them."""
    tag = next(d for d in (*dimensions, *(f.dimension for f in filters)) if d.startswith("tag:"))
    others = [d for d in dimensions if d != tag]
    other_filters = [f for f in filters if f.dimension != tag]
    tag_filters = [f for f in filters if f.dimension == tag]
    place = dimensions.index(tag) if tag in dimensions else None
    everything = next(c for c in CUBES if c.dimension is None and c.grain is cube.grain)
    rest: dict[tuple[int, tuple[str | None, ...], str, str], Measures] = {}
    for row in costs.sum_cube(everything, read.windows, others, other_filters):
        rest[(row.slot, row.values, row.currency, row.status)] = Measures(*row.measures.astuple())
    for row in costs.sum_cube(cube, read.windows, [tag, *others], other_filters):
        value, values = row.values[0], row.values[1:]
        rest[(row.slot, values, row.currency, row.status)].subtract(row.measures)
        if all(f.matches(value) for f in tag_filters):
            yield row._replace(values=_placed(values, place, value))
    if all(f.matches(None) for f in tag_filters):
        for (slot, values, currency, status), sums in rest.items():
            if any(sums.astuple()):
                yield SummedRow(slot, _placed(values, place, None), currency, status, sums)


def _placed(values: tuple[str | None, ...], place: int | None, value: str | None) -> tuple[str | None, ...]:
    return values if place is None else (*values[:place], value, *values[place:])
