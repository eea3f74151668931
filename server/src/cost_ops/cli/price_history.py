"""A model's price over time: a chart for people, its steps for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import rich_click as click

from cost_ops.cli.output import Column, Output, Part, Table, money
from cost_ops.cli.price_sync import plain_price
from cost_ops.cli.prices import utc_instant
from cost_ops.cli.step_chart import Step, draw
from cost_ops.domain.meters import METERS, TOKEN_METERS

Document = Mapping[str, Any]
WIDTH = 79
_USUAL = ("input", "output")


def show_history(output: Output, steps: Sequence[Document], meter: str | None) -> None:
    """The plain price of a meter, or of input and output, over time. Raises UsageError for an unknown meter."""
    if meter is not None and meter not in METERS:
        raise click.UsageError(f"--meter must be one of {', '.join(METERS)}")
    meters = [meter] if meter else [m for m in _USUAL if any(plain_price(s, m) is not None for s in steps)]
    meters = meters or sorted({rate["meter"] for step in steps for rate in step["rates"]})[:2]
    parts: list[Part] = []
    for name in meters:
        parts += _chart(steps, name)
    parts.append(_table(steps, meters))
    document = [_step(step, meters) for step in steps]
    output.show(document, *parts, rows=[_flat(step) for step in document])


def _chart(steps: Sequence[Document], meter: str) -> list[str]:
    lines = draw([_drawn(step, meter) for step in steps], WIDTH)
    if not lines:
        return [f"{meter}: no price without conditions."]
    per = METERS[meter]
    unit = "million tokens" if per.unit == "token" else f"million {per.unit}s"
    first = steps[-1]
    return [f"{meter}, {first['currency']} per {unit}: {first['provider']} / {first['model_id']}", *lines, ""]


def _drawn(step: Document, meter: str) -> Step:
    start, end = utc_instant(step["holds_from"], "from"), utc_instant(step["holds_to"], "to")
    return Step(start, end, _paid(step, meter))


def _paid(step: Document, meter: str) -> Decimal | None:
    """The plain price of a meter with the factors that always apply, such as those of a contract."""
    price = plain_price(step, meter)
    for factor in step.get("multipliers", ()):
        if price is not None and not factor.get("when") and _means(factor["meters"], meter):
            price *= Decimal(str(factor["factor"]))
    return price


def _means(meters: str | Sequence[str], meter: str) -> bool:
    return meters == "all" or (meters == "tokens" and meter in TOKEN_METERS) or meter in meters


def _table(steps: Sequence[Document], meters: Sequence[str]) -> Table:
    columns = (Column("from"), Column("until"), *map(money, meters), Column("sure"), Column("source"))
    rows = [
        (
            (step["holds_from"] or "always")[:10],
            (step["holds_to"] or "")[:10] or None,
            *(_paid(step, meter) for meter in meters),
            step["confidence"],
            step["source"],
        )
        for step in steps
    ]
    return Table(columns, rows)


def _step(step: Document, meters: Sequence[str]) -> dict[str, Any]:
    return {
        "holds_from": step["holds_from"],
        "holds_to": step["holds_to"],
        "price_id": step["id"],
        "provider": step["provider"],
        "model_id": step["model_id"],
        "currency": step["currency"],
        "per_million": {meter: _paid(step, meter) for meter in meters},
        "confidence": step["confidence"],
        "source": step["source"],
        "found_by": step["found_by"],
    }


def _flat(step: Document) -> dict[str, Any]:
    plain = {name: value for name, value in step.items() if name != "per_million"}
    return plain | {f"{meter}_per_million": price for meter, price in step["per_million"].items()}
