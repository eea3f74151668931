"""Budgets as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from shutil import get_terminal_size
from typing import Any

from cost_ops.cli.budget_bars import draw, notes
from cost_ops.cli.output import Column, Output, Part, Table, count, format_money, money
from cost_ops.domain.money import format_decimal

Document = Mapping[str, Any]


def show_list(output: Output, found: Sequence[Document], title: str = "") -> None:
    """Budgets below each other, those that are below others a little to the right."""
    depths: dict[str, int] = {}
    rows = []
    for one in found:
        depths[one["budget_id"]] = depth = depths.get(one["parent_id"], -1) + 1
        name = "  " * depth + one["name"]
        rows.append((name, one["amount"], one["currency"], one["period"], _about(one), one["enforcement"]))
    columns = [
        *(Column("budget"), money("amount"), Column("in"), Column("period"), Column("about"), Column("limit")),
    ]
    output.show(list(found), Table(columns, rows, title) if rows else "No budgets found.")


def show_one(output: Output, found: Document) -> None:
    """Everything that one budget is."""
    plain = {name: value for name, value in found.items() if value not in (None, [], {})}
    rows = [(name.replace("_", " "), _text(name, value)) for name, value in plain.items() if name != "budget_id"]
    output.show(found, Table((Column(str(found["budget_id"])), Column("")), rows))


def _text(name: str, value: Any) -> str:
    if name == "scope":
        return _about({"scope": value})
    if name == "alert_thresholds":
        return ", ".join(map(_part, value))
    if name == "rollover":
        words = [word for word in ("unused", "overspent") if value[word]]
        limit = "" if value["limit"] is None else f", at most {_text('limit', value['limit'])}"
        return (" and ".join(words) + limit) or "none"
    if name == "phases":
        return ", ".join(f"{_text('amount', one['amount'])} from {one['start_date'][:10]}" for one in value)
    if isinstance(value, Decimal):
        return format_decimal(value)
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _about(one: Document) -> str:
    told = [f"{dimension} {'/'.join(values)}" for dimension, values in one["scope"].items()]
    return ", ".join(told) or "everything"


def show_standing(output: Output, found: Sequence[Document], *more: Part) -> None:
    """How budgets stand, with bars; `more` comes after them."""
    if output.form != "table" or not found:
        output.show(list(found), "No budgets found.")
        return
    output.show(list(found), draw(found, get_terminal_size().columns), *more, *notes(found))


def thresholds(one: Document) -> Part:
    """The thresholds of a budget that stands, and what became of them."""
    rows = [
        (_part(t["threshold"]), t["amount"], "yes" if t["reached"] else "no", t["fired_at"], _answered(t))
        for t in one["thresholds"]
    ]
    columns = (Column("threshold"), money("amount"), Column("reached"), Column("told"), Column("since then"))
    title = f"\n{one['name']} in {one['period']}: {format_money(one['available'])} {one['currency']} available"
    return Table(columns, rows, title)


def _answered(threshold: Document) -> str | None:
    if threshold["recovered_at"]:
        return f"recovered {threshold['recovered_at']}"
    return f"acknowledged {threshold['acknowledged_at']}" if threshold["acknowledged_at"] else None


def _part(threshold: Any) -> str:
    return f"{format_decimal(Decimal(threshold) * 100)} %"


def percent(value: Any) -> str:
    """A percentage."""
    return f"{value} %"


def crossed(found: Sequence[Document]) -> str | None:
    """Which thresholds were crossed, and when."""
    return ", ".join(f"{_part(one['threshold'])} on {one['on']}" for one in found) or None


def verdict(level: Document) -> str:
    """What a budget says of a call."""
    if level["refuses"]:
        return "no"
    return "yes" if level["fits"] else "exceeded, but soft"


def history_table(found: Sequence[Document]) -> Part:
    """Periods below each other."""
    rows = [
        (
            one["period"],
            one["planned"],
            one["carried_over"],
            one["spent"],
            percent(one["percent_used"]),
            one["unpriced_requests"] or None,
        )
        for one in found
    ]
    columns = [
        *(Column("period"), money("planned"), money("carried over"), money("spent"), Column("used"), count("unpriced"))
    ]
    return Table(columns, rows) if rows else "It has no periods yet."


def check_parts(found: Document) -> list[Part]:
    """What budgets say of a call."""
    amount = f"{format_money(found['amount'])} {found['currency']}"
    told = f"{amount} would be granted." if found["allowed"] else f"{amount} would be refused."
    rows = [
        (one["name"], one["period"], one["limit"], one["spent"], one["held"], one["available"], verdict(one))
        for one in found["budgets"]
    ]
    columns = [
        *(Column("budget"), Column("period"), money("limit"), money("spent"), money("held"), money("available")),
        Column("says"),
    ]
    return [told, Table(columns, rows) if rows else "It counts for no budget."]


def preview_parts(found: Document) -> list[Part]:
    """What would have been told."""
    rows = [
        (one["period"], one["limit"], one["spent"], percent(one["percent_used"]), crossed(one["crossed"]))
        for one in found["periods"]
    ]
    columns = (Column("period"), money("limit"), money("spent"), Column("used"), Column("crossed"))
    told = f"{found['name']}: {found['alerts']:,} alerts in {len(rows):,} periods, amounts in {found['currency']}."
    return [told, Table(columns, rows)]
