"""Answers to cost questions as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from cost_ops.cli.output import Column, Output, Part, Table, count, format_money, money, tokens
from cost_ops.domain.costs import TIME_DIMENSIONS

Document = Mapping[str, Any]
_NOBODY = "(none)"


def show_costs(output: Output, found: Document) -> None:
    """The answer to a cost question: whom and when it covers, rows, totals, and what is not certain."""
    parts: list[Part] = [f"Costs of {whom(found)}", f"{when(found)}"]
    if found["breakdown"]:
        parts.append(_breakdown(found["breakdown"], found["group_by"]))
        left_out = found["row_count"] - len(found["breakdown"])
        if left_out > 0:
            parts.append(f"{left_out:,} more rows; --limit shows more.")
    parts.extend(total_lines(found["totals"]))
    parts.extend(uncertain_lines(found))
    parts.extend(conversion_lines(found.get("display")))
    output.show(found, *parts, rows=found["breakdown"] if found["group_by"] else found["totals"])
    if found.get("known_organizations") is not None:
        known = ", ".join(found["known_organizations"]) or "none yet"
        output.notice(f"Nothing was recorded for {found['organization_id']} yet. Known organisations: {known}.")


def whom(found: Document) -> str:
    """The organisations that an answer covers."""
    if found.get("organization_id"):
        return f"organisation {found['organization_id']}"
    names = found.get("organizations") or []
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"all {len(names)} organisations: {shown}" if names else "no organisation: there is none yet"


def when(found: Document) -> str:
    """The range of time that an answer covers."""
    return f"{_minute(found['start_date'])} to {_minute(found['end_date'])} UTC, days in {found['timezone']}"


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _breakdown(rows: Sequence[Document], group_by: Sequence[str]) -> Table:
    currencies = {row["currency"] for row in rows if row["currency"]}
    one = next(iter(currencies)) if len(currencies) == 1 else None
    unpriced = any(row["unpriced_requests"] for row in rows)
    columns = [Column(name.removeprefix("tag:")) for name in group_by]
    columns += [count("requests"), tokens("input"), tokens("output")]
    columns += [count("unpriced")] if unpriced else []
    columns += [money(f"cost ({one})" if one else "cost")]
    columns += [] if one or not currencies else [Column("currency")]
    cells = []
    for row in rows:
        values: list[Any] = [_group_value(name, row.get(name)) for name in group_by]
        values += [row["requests"], row["input_tokens"], row["output_tokens"]]
        values += [row["unpriced_requests"] or None] if unpriced else []
        values += [row["cost"] if row["currency"] else None]
        values += [] if one or not currencies else [row["currency"]]
        cells.append(values)
    return Table(columns, cells)


def _group_value(name: str, value: Any) -> str:
    return str(value) if value or name in TIME_DIMENSIONS else _NOBODY


def total_lines(totals: Sequence[Document]) -> list[str]:
    """One line per currency: what was spent on what."""
    if not totals:
        return ["Total: nothing was recorded in this range."]
    lines = []
    for row in totals:
        requests = f"{row['requests']:,} request" + ("" if row["requests"] == 1 else "s")
        tokens = f"{row['input_tokens']:,} input and {row['output_tokens']:,} output tokens"
        spent = f"{format_money(row['cost'])} {row['currency']}" if row["currency"] else "no known cost"
        lines.append(f"Total: {spent} for {requests}, {tokens}")
        lines.extend(_confidence_line(row))
    return lines


def _confidence_line(row: Document) -> list[str]:
    """How sure the amount is; nothing where all of it is computed, as most is."""
    parts = [part for part in row.get("confidence", ()) if part["cost_share"] is not None]
    if [part["status"] for part in parts] in ([], ["computed"]):
        return []
    shares = ", ".join(f"{format_share(part['cost_share'])} {part['status']}" for part in parts)
    return [f"Of this amount: {shares}"]


def uncertain_lines(found: Document) -> list[str]:
    """What is in no sum of money, or only estimated; nothing where all is certain."""
    lines = []
    unpriced, estimated = found["unpriced"], found["estimated"]
    if unpriced["requests"]:
        lines.append(
            f"Unpriced: {_requests(unpriced)} have no known price and are in no total; "
            "`cost-ops pricing unpriced` lists them."
        )
    if estimated["requests"]:
        lines.append(f"Estimated: the cost of {_requests(estimated)} rests on an assumption.")
    return lines


def conversion_lines(display: Document | None) -> list[str]:
    """What was converted by which rates, and what was not; nothing where amounts are as they were."""
    if display is None:
        return []
    lines = []
    originals = {row["currency"]: row["cost"] for row in display["original_totals"] if row["currency"]}
    for currency in sorted({rate["currency"] for rate in display["rates"]}):
        rates = [rate for rate in display["rates"] if rate["currency"] == currency]
        days = [rate["rate_date"] for rate in rates]
        span = days[0] if min(days) == max(days) else f"{min(days)} to {max(days)}"
        spent = format_money(Decimal(str(originals[currency])))
        sources = ", ".join(sorted({rate["source"] for rate in rates}))
        lines.append(f"Converted: {spent} {currency} in all, by rates of {span} ({sources})")
    for lacking in display["not_converted"]:
        first, last = lacking["first_date"], lacking["last_date"]
        when = first if first == last else f"{first} to {last}"
        lines.append(
            f"Not converted: {lacking['currency']} of {when}, there is no exchange rate; `cost-ops currencies import` "
            "adds them."
        )
    return lines


def _requests(part: Document) -> str:
    share = format_share(part["share"])
    requests = part["requests"]
    return f"{requests:,} {'request' if requests == 1 else 'requests'} ({share})"


def format_share(share: Any) -> str:
    """A share between 0 and 1 as a percentage."""
    return f"{Decimal(str(share)) * 100:,.2f} %".replace(".00 %", " %")


def show_summary(output: Output, found: Document) -> None:
    """Totals of a period beside those of the one before, and the largest of each kind."""
    parts: list[Part] = [f"{found['period']} of {whom(found)}", when(found), _comparison(found)]
    for title, name in (("Providers", "providers"), ("Models", "models"), ("Projects", "projects")):
        rows = found[name]
        if rows:
            dimension = title.lower().removesuffix("s")
            parts.append(replace(_breakdown(rows, [dimension]), title=title))
    parts.extend(total_lines(found["totals"]))
    parts.extend(uncertain_lines(found))
    parts.extend(conversion_lines(found.get("display")))
    output.show(found, *parts, rows=found["totals"])


def _comparison(found: Document) -> Table:
    previous = {row["currency"]: row for row in found["previous"]["totals"]}
    current = {row["currency"]: row for row in found["totals"]}
    rows = []
    for currency in sorted({*previous, *current}, key=str):
        new, old = current.get(currency), previous.get(currency)
        spent, before = _cost(new), _cost(old)
        rows.append((currency, spent, before, _change(spent, before), (new or {}).get("requests", 0)))
    start = found["previous"]["start_date"][:10]
    columns = (Column("currency"), money("cost"), money(f"before (from {start})"), Column("change"), count("requests"))
    return Table(columns, rows)


def _cost(row: Document | None) -> Decimal:
    return Decimal(0) if row is None or row["cost"] is None else Decimal(row["cost"])


def _change(new: Decimal, old: Decimal) -> str | None:
    return None if not old else f"{(new - old) / old * 100:+,.1f} %"
