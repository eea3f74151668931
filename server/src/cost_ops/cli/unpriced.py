"""Usage without a price as a table: how much, since when, and between what its cost may lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cost_ops.cli.output import Column, Output, Part, Table, count, tokens

Document = Mapping[str, Any]


def show_unpriced(output: Output, found: Sequence[Document]) -> None:
    """Usage without a price. What it may cost is an estimate, and in no total."""
    if not found:
        output.show([], "All usage has a price.")
        return
    columns = (Column("organisation"), Column("provider"), Column("model"), count("requests"), tokens("tokens"))
    rows = [
        (
            m["organization_id"],
            m["provider"],
            m["model_id"],
            m["requests"],
            m["input_tokens"] + m["output_tokens"],
            m["first_seen"][:10],
            m["last_seen"][:10],
        )
        for m in found
    ]
    parts: list[Part] = [Table((*columns, Column("first"), Column("last")), rows)]
    if guesses := [row for m in found if (row := _guess(m))]:
        title = "What it may cost: an estimate from comparable models, in no total"
        parts.append(Table((Column("model"), Column("between"), Column("taken from")), guesses, title))
    parts += [
        f"{m['model_id']}: did you mean {' or '.join(m['similar'])}? They have a price." for m in found if m["similar"]
    ]
    first = found[0]
    parts.append(
        f"cost-ops pricing add --provider {first['provider']} --model {first['model_id']} "
        "--input-price … --output-price …"
    )
    output.show(list(found), *parts, rows=[_flat(m) for m in found])


def _guess(model: Document) -> tuple[str, str, str] | None:
    band = model["estimate"]
    if band is None:
        return None
    between = f"{_money(band['lowest'])} – {_money(band['highest'])} {band['currency']}"
    return model["model_id"], between, f"{band['basis']} ({band['models']})"


def _money(value: Any) -> str:
    """For people: cents, and below a cent the first two digits that count."""
    amount = Decimal(str(value))
    if amount == 0 or amount >= Decimal("0.1"):
        return f"{amount:,.2f}"
    return f"{amount:.{min(10, 1 - amount.adjusted())}f}"


def _flat(model: Document) -> Document:
    band = model["estimate"] or {}
    return {
        **{name: value for name, value in model.items() if name not in ("estimate", "similar")},
        "estimate_lowest": band.get("lowest"),
        "estimate_highest": band.get("highest"),
        "estimate_currency": band.get("currency"),
        "estimate_basis": band.get("basis"),
        "similar": " ".join(model["similar"]),
    }
