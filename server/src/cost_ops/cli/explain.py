"""`cost-ops explain`: the proof of an amount."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, pass_session

Document = Mapping[str, Any]


@click.command(
    cls=Command,
    examples=(
        "cost-ops explain 01941f29-7c00-7001-8000-000000000005",
        "cost-ops explain 01941f29-7c00-7001-8000-000000000005 --output json",
    ),
)
@click.argument("usage_id")
@pass_session
def explain(session: Session, /, *, usage_id: str) -> None:
    """Show how a record's cost came about: what was sent, which price, quantity × rate line by line, and the total."""
    found = session.backend.usage.explain(session.organization, usage_id)
    session.output.show(found, *_parts(found))


def _parts(found: Document) -> list[Any]:
    from cost_ops.cli.output import Column, Table, money

    usage, price = found["usage"], found["price"]
    currency = usage["currency"] or (price or {}).get("currency") or "USD"
    parts: list[Any] = [Table((Column("usage"), Column("")), _usage_rows(usage))]
    buckets = [(meter, _quantity(quantity)) for meter, quantity in usage["quantities"].items()]
    parts.append(Table((Column("bucket"), Column("quantity")), buckets, "1. Every token in exactly one bucket"))
    parts.append(Table((Column("price"), Column("")), _price_rows(found), "2. The price"))
    lines = [
        (line["meter"], _quantity(line["quantity"]), _line_rate(line, currency), _amount(line["amount"]))
        for line in found["lines"]
    ]
    if lines:
        columns = (Column("meter"), Column("quantity"), Column("rate"), money(f"amount ({currency})"))
        parts.append(Table(columns, lines, "3. Quantity × rate, each line rounded once, half to even, to 10 decimals"))
    parts.extend(_verdict(found, currency))
    return parts


def _line_rate(line: Document, currency: str) -> str:
    from cost_ops.cli.prices import condition_text, rate_text

    rate = {"price": line["rate_price"], "per": line["rate_per"], "included": line["included"]}
    text = f"× {rate_text(rate, currency)}"
    if line["priced_as"] != line["meter"]:
        text += f", as {line['priced_as']}"
    if line["conditions"]:
        text += f" ({condition_text({'when': line['conditions']})})"
    return text


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _quantity(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


_SHOWN = ("project_id", "user_id", "team_id", "session_id", "service_tier", "processing", "region")


def _usage_rows(usage: Document) -> list[tuple[str, str]]:
    rows = [
        ("id", usage["usage_id"]),
        ("organisation", usage["organization_id"]),
        ("time", usage["timestamp"]),
        ("model", f"{usage['provider']} / {usage['model_id']}"),
        ("tokens", f"{usage['input_tokens']:,} input, {usage['output_tokens']:,} output"),
    ]
    rows.extend((name.removesuffix("_id").replace("_", " "), usage[name]) for name in _SHOWN if usage.get(name))
    if usage.get("tags"):
        rows.append(("tags", ", ".join(f"{k}={v}" for k, v in usage["tags"].items())))
    return rows


def _price_rows(found: Document) -> list[tuple[str, str]]:
    from cost_ops.cli.prices import validity

    price = found["price"]
    if price is None:
        return [("none", found["reason"])]
    rows = [
        ("id", price["id"]),
        ("for", f"{price['provider']} / {price['model_id']}"),
        ("layer", price["layer"]),
        ("source", price["source"]),
        ("valid", validity(price)),
    ]
    if found.get("found_by"):
        rows.append(("found by", found["found_by"]))
    return rows


def _verdict(found: Document, currency: str) -> list[str]:
    from cost_ops.cli.output import format_money

    usage = found["usage"]
    stored, again = _amount(usage["cost"]), _amount(found["recomputed_cost"])
    lines = [f"Total: {format_money(stored)} {currency} ({usage['status']}: {found['reason']})"]
    if found["missing_meters"]:
        lines.append(f"The price has no rate for {', '.join(found['missing_meters'])}.")
    if again is not None and stored is not None:
        if again == stored:
            lines.append("Worked out again just now, it agrees with the stored amount: yes")
        else:
            agrees = "as it may be" if found["agrees"] else "NO: please report this"
            lines.append(f"Worked out again just now: {format_money(again)} {currency}; agrees: {agrees}")
    return lines
