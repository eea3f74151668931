"""Putting an answer together: summed rows from storage become totals, labelled rows, an order and a limit.

The largest usual answer, a year by day and model, has twenty thousand rows: each is touched once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cost_ops.domain.costs import TIME_DIMENSIONS, CostQuery, CostReport, CostRow, SummedRow
from cost_ops.domain.periods import Granularity, TimeRange, format_bucket
from cost_ops.domain.rollups import Measures

_RowKey = tuple[int, tuple[str | None, ...], str]
"""(slot, values, currency)."""


def assemble(query: CostQuery, slots: Sequence[TimeRange], found: Iterable[SummedRow], **about: Any) -> CostReport:
    """Totals, rows, order and limit from summed rows. Unpriced usage joins the row of its group's only currency."""
    sums_by_status: dict[tuple[str, str], Measures] = {}
    rows: dict[_RowKey, CostRow] = {}
    for slot, values, currency, status, sums in found:
        total = sums_by_status.get((currency, status))
        if total is None:
            sums_by_status[currency, status] = sums.copy()
        else:
            total.add(sums)
        row = rows.get((slot, values, currency))
        if row is None:
            row = rows[slot, values, currency] = CostRow((), currency)
        row.add(status, sums)
    lines = _lines(query, slots, rows) if query.group_by else []
    shown = lines if query.limit is None else lines[: query.limit]
    return CostReport(query, _totals(sums_by_status), tuple(shown), len(lines), **about)


def _totals(sums_by_status: dict[tuple[str, str], Measures]) -> tuple[CostRow, ...]:
    """One row for each currency, by its code."""
    totals: dict[_RowKey, CostRow] = {}
    for (currency, status), sums in sums_by_status.items():
        totals.setdefault((0, (), currency), CostRow((), currency)).add(status, sums)
    return tuple(row for _, row in sorted(_merge_unpriced(totals).items()))


def _lines(query: CostQuery, slots: Sequence[TimeRange], rows: dict[_RowKey, CostRow]) -> list[CostRow]:
    """The rows with their labels, in order."""
    merged = _merge_unpriced(rows)
    labels = _labels(query, slots)
    for (slot, values, _), row in merged.items():
        row.group = labels[slot](values)
    kept = merged.items()
    if query.having:
        kept = [(key, row) for key, row in kept if all(h.holds(row.metric(h.metric)) for h in query.having)]  # type: ignore[assignment]
    return _ordered(query, kept)


def _ordered(query: CostQuery, rows: Iterable[tuple[_RowKey, CostRow]]) -> list[CostRow]:
    """By the metric asked for; else by time ascending and cost descending (slots are numbered in the order of time)."""
    metric = query.order_by
    if metric is not None:
        lines = [row for _, row in sorted(rows, key=lambda item: _sortable(item[1].group))]
        return sorted(lines, key=lambda row: row.metric(metric), reverse=query.descending)
    keyed = [(key[0], -row.cost_e10, -row.requests, _sortable(key[1]), key[2], row) for key, row in rows]
    keyed.sort(key=_without_row)
    return [item[5] for item in keyed]


def _without_row(item: tuple[Any, ...]) -> tuple[Any, ...]:
    return item[:5]


def _sortable(values: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Values that can be compared: what is absent comes first, as the empty text."""
    return tuple([value or "" for value in values]) if None in values else values


def _merge_unpriced(rows: dict[_RowKey, CostRow]) -> dict[_RowKey, CostRow]:
    """Usage without a price has no currency; where its group has exactly one, show it there instead of apart."""
    loose = [key for key in rows if key[2] == ""]
    if not loose:
        return rows
    currencies: dict[tuple[int, tuple[str | None, ...]], list[str]] = {}
    for slot, values, currency in rows:
        if currency:
            currencies.setdefault((slot, values), []).append(currency)
    out = dict(rows)
    for key in loose:
        homes = currencies.get(key[:2], [])
        if len(homes) == 1:
            row = out.pop(key)
            home = out[(*key[:2], homes[0])]
            home.add("unpriced", Measures(row.requests, row.input_tokens, row.output_tokens, row.cached_tokens, 0))
    return out


def _labels(query: CostQuery, slots: Sequence[TimeRange]) -> list[Any]:
    """For each slot a function from plain values to the full group, time labels put where they were asked for."""
    if query.granularity is None:
        return [lambda values: values] * len(slots)
    out = []
    for slot in slots:
        times = {
            unit: format_bucket(slot.start, Granularity(unit), query.zone)
            for unit in query.group_by
            if unit in TIME_DIMENSIONS
        }
        out.append(_labeller(query.group_by, times))
    return out


def _labeller(group_by: Sequence[str], times: dict[str, str]) -> Any:
    if len(group_by) == 1:
        alone = (times[group_by[0]],)
        return lambda _: alone
    if group_by[0] in times and len(times) == 1:
        first = (times[group_by[0]],)
        return lambda values: first + values

    def label(values: tuple[str | None, ...]) -> tuple[str | None, ...]:
        rest = iter(values)
        return tuple(times[name] if name in times else next(rest) for name in group_by)

    return label
