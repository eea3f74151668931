"""`cost-ops explain`: the proof of an amount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    from cost_ops.cli.output import Column, Table

    usage = found["usage"]
    currency = usage["currency"] or (found["price"] or {}).get("currency") or "USD"
    parts: list[Any] = [Table((Column("usage"), Column("")), _usage_rows(usage))]
    if found["fields"]:
        columns = (Column("field of the payload"), Column("says"), Column("bucket"), Column("note"))
        title = f"1. What {usage['provider']} reported ({found['shape']}): every token in exactly one bucket"
        rows = [
            (f["path"].removeprefix("usage."), _quantity(f["quantity"]), f["meter"], f["note"] or None)
            for f in found["fields"]
            if f["quantity"]
        ]
        parts.append(Table(columns, rows, title))
    else:
        buckets = [(meter, _quantity(quantity)) for meter, quantity in usage["quantities"].items()]
        parts.append(Table((Column("bucket"), Column("quantity")), buckets, "1. Every token in exactly one bucket"))
    parts.extend(f"NOTE: {one['message']}" for one in found["discrepancies"])
    parts.append(Table((Column("price"), Column("")), _price_rows(found), "2. The price"))
    if len(found["considered"]) > 1 or (found["considered"] and not found["considered"][0]["won"]):
        parts.append(_considered_table(found["considered"]))
    if found["steps"]:
        steps = [(s["model_id"], s["kind"], s["price_id"], _buckets(s["quantities"])) for s in found["steps"]]
        columns = (Column("step ran on"), Column("kind"), Column("price"), Column("used"))
        parts.append(Table(columns, steps, "Steps of this response, each at its own model's price"))
    if found["lines"]:
        parts.append(_lines_table(found["lines"], currency))
        parts.extend(_reasons(found["lines"]))
    parts.extend(_verdict(found, currency))
    if len(found["versions"]) > 1:
        parts.append(_versions_table(found["versions"]))
    return parts


def _considered_table(considered: Sequence[Document]) -> Any:
    from cost_ops.cli.output import Column, Table

    rows = [
        (
            "won" if one["won"] else "",
            one["price_id"],
            f"{one['provider']}/{one['model_id']}",
            one["layer"],
            one["verdict"],
        )
        for one in considered
    ]
    columns = [Column(header) for header in ("", "price", "model", "layer", "verdict")]
    return Table(columns, rows, "Why this price: those that could hold, in the order in which they are asked")


def _lines_table(lines: Sequence[Document], currency: str) -> Any:
    from cost_ops.cli.output import Column, Table, money
    from cost_ops.domain.money import format_decimal

    headers = ("meter", "quantity", "rate", "exact product")
    rows = [
        (
            line["meter"],
            _quantity(line["paid_quantity"]),
            _line_rate(line, currency),
            format_decimal(Decimal(str(line["exact_amount"]))),
            _amount(line["amount"]),
        )
        for line in lines
    ]
    columns = [*map(Column, headers), money(f"rounded ({currency})")]
    return Table(columns, rows, "3. Quantity × rate, each line rounded once, half to even, to 10 decimals")


def _reasons(lines: Sequence[Document]) -> list[str]:
    """Why these rates: each reason once, with the meters it is about."""
    meters: dict[str, list[str]] = {}
    for line in lines:
        for reason in line["reasons"]:
            meters.setdefault(reason, []).append(line["meter"])
    return [
        f"- {'all lines' if len(about) == len(lines) > 1 else ', '.join(about)}: {reason}"
        for reason, about in meters.items()
    ]


def _versions_table(versions: Sequence[Document]) -> Any:
    from cost_ops.cli.output import Column, Table

    columns = (
        Column("version"),
        Column("written"),
        Column("status"),
        Column("cost"),
        Column("price"),
        Column("reason"),
    )
    rows = [
        (
            str(v["version"]),
            v["created_at"],
            v["status"],
            None if v["cost"] is None else f"{v['cost']} {v['currency'] or ''}",
            v["price_id"],
            v["reason"] + (f" (run {v['run']})" if v["run"] else ""),
        )
        for v in versions
    ]
    return Table(columns, rows, "4. All costs this record has had; the last one holds")


def _buckets(quantities: Document) -> str:
    return ", ".join(f"{meter} {_quantity(quantity)}" for meter, quantity in quantities.items())


def _line_rate(line: Document, currency: str) -> str:
    from cost_ops.cli.prices import rate_text

    text = f"× {rate_text({'price': line['rate_price'], 'per': line['rate_per'], 'included': 0}, currency)}"
    return text + "".join(f" × {factor['factor']}" for factor in line["factors"])


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
        *((("asked for", usage["requested_model_id"]),) if usage.get("requested_model_id") else ()),
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
    if found.get("list_cost") is not None:
        lines.append(f"Without the organisation's contracts: {format_money(_amount(found['list_cost']))} {currency}")
    if again is not None and stored is not None:
        if again == stored:
            lines.append("Worked out again just now, it agrees with the stored amount: yes")
        else:
            agrees = "as it may be" if found["agrees"] else "NO: please report this"
            lines.append(f"Worked out again just now: {format_money(again)} {currency}; agrees: {agrees}")
    return lines
