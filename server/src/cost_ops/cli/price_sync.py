"""A price sync as a person reads it: what was added, what waits and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cost_ops.cli.output import Column, Output, Part, Table
from cost_ops.cli.prices import priced_now
from cost_ops.domain.money import format_decimal

Document = Mapping[str, Any]
MAX_SHOWN = 40
_MILLION = 1_000_000


def show_sync(output: Output, found: Document, *, dry_run: bool) -> None:
    """What a sync added, ended and held back. As CSV: one line for every row that was added or waits."""
    output.show(found, *_parts(found, dry_run=dry_run), rows=list(_rows(found)))


def _parts(found: Document, *, dry_run: bool) -> Iterator[Part]:
    added, held = found["added_rows"], found["held"]
    verb = "would be added" if dry_run else "added"
    yield (
        f"{len(added):,} prices {verb} ({len(found['added_models']):,} new models), {len(found['ended']):,} older ones "
        f"ended, {found['unchanged']:,} models unchanged."
    )
    if len(found["sources"]) > 1:
        yield _compared(found)
    if added:
        ordered = sorted(added, key=lambda row: row["was"] is None)  # what changed stands before what is new
        yield _added_table(ordered[:MAX_SHOWN])
        if len(added) > MAX_SHOWN:
            yield f"… and {len(added) - MAX_SHOWN:,} more; --output json or csv shows all."
    changed = [row for row in held if row["changes"]]
    if changed:
        yield _held_table(changed[:MAX_SHOWN])
        yield (
            f"{len(changed):,} held back, for they change by more than half or to zero; the old prices stay. "
            "--accept MODEL or `cost-ops pricing review accept ID` applies one."
        )
    if len(held) > len(changed):
        yield (
            f"{len(held) - len(changed):,} new models are free according to one second-hand source only, and were not "
            "taken; --accept MODEL takes one."
        )
    if found["disagreements"]:
        yield _disagreements_table(found["disagreements"][:MAX_SHOWN])
        if len(found["disagreements"]) > MAX_SHOWN:
            yield f"… and {len(found['disagreements']) - MAX_SHOWN:,} more; --output json shows all."
    yield from _notes(found)


def _notes(found: Document) -> Iterator[str]:
    if found["reviews"]["raised"]:
        verb = "1 price waits" if found["reviews"]["raised"] == 1 else f"{found['reviews']['raised']:,} prices wait"
        yield f"{verb} for your decision: cost-ops pricing review list"
    if found["contradictions"]:
        yield (
            f"{len(found['contradictions']):,} rows disagree with stored history and were not applied; "
            "--output json shows them."
        )
    if found["normalised"]:
        yield f"Numbers with float noise, read as they are meant: {len(found['normalised']):,}; see --output json."
    if found.get("priced_records"):
        yield priced_now(found["priced_records"])


def _compared(found: Document) -> str:
    compared = found["compared"]
    return (
        f"Compared {', '.join(found['sources'])}: {compared['confirmed']:,} models confirmed, "
        f"{compared['disagreements']:,} in disagreement, {compared['single_source']:,} known to one source only."
    )


def _added_table(rows: Sequence[Document]) -> Table:
    columns = (
        Column("provider"),
        Column("model"),
        Column("input"),
        Column("output"),
        Column("cur."),
        Column("from"),
        Column("sure"),
    )
    cells = [
        (
            row["provider"],
            row["model_id"],
            _moved(row, "input"),
            _moved(row, "output"),
            row["currency"],
            (row["effective_date"] or "always")[:10],
            row["confidence"],
        )
        for row in rows
    ]
    return Table(columns, cells, "New prices per million tokens")


def _moved(row: Document, meter: str) -> str | None:
    """The plain price of a meter, with what it was where that is another."""
    new, was = plain_price(row, meter), plain_price(row.get("was") or {}, meter)
    if was is None or was == new:
        return _text(new)
    return f"{_text(was)} → {_text(new) or 'none'}"


def plain_price(price: Document, meter: str) -> Decimal | None:
    """The unconditioned price of a million units of a meter, in a price's JSON."""
    for rate in price.get("rates", ()):
        if rate["meter"] == meter and not rate.get("when") and "price" in rate:
            return Decimal(str(rate["price"])) * _MILLION / Decimal(str(rate["per"]))
    return None


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)


def _held_table(rows: Sequence[Document]) -> Table:
    cells = [
        (row["provider"], row["model_id"], change_text(change), row["kind"])
        for row in rows
        for change in row["changes"][:3]
    ]
    columns = (Column("provider"), Column("model"), Column("change"), Column("why"))
    return Table(columns, cells, "Held back")


def change_text(change: Document, between: str = " → ") -> str:
    """An old and a new rate of a meter, or those of two opinions."""
    from cost_ops.cli.prices import condition_text

    old, new = change.get("old", change.get("one")), change.get("new", change.get("other"))
    when = condition_text(change)
    about = "" if when == "always" else f" ({when})"
    size = (old or new or {}).get("per", _MILLION)
    per = "" if size == _MILLION else f" per {size:,}"
    return f"{change['meter']} {_amount(old)}{between}{_amount(new)}{per}{about}"


def _amount(rate: Document | None) -> str:
    if rate is None:
        return "none"
    if rate.get("of"):
        return f"{rate['fraction']} × {rate['of']}"
    return format_decimal(Decimal(str(rate["price"])))


def _disagreements_table(found: Sequence[Document]) -> Table:
    cells = [
        (
            one["provider"],
            one["model_id"],
            _differences(one["changes"]),
            ", ".join(opinion["publisher"] for opinion in one["opinions"]),
        )
        for one in found
    ]
    columns = (Column("provider"), Column("model"), Column("differs"), Column("according to"))
    return Table(columns, cells, "Sources disagree: what the first says is published as provisional")


def _differences(changes: Sequence[Document]) -> str:
    """The first rates that differ, each with what either source says."""
    if not changes:
        return "they state nothing in common"
    shown = "; ".join(change_text(change, " or ") for change in changes[:2])
    return shown + (f"; {len(changes) - 2} more" if len(changes) > 2 else "")


def _rows(found: Document) -> Iterator[Document]:
    """Every price that was added or waits, one line each."""
    for state, rows in (("added", found["added_rows"]), ("held", found["held"])):
        for row in rows:
            yield {
                "state": row.get("kind") if state == "held" else state,
                "provider": row["provider"],
                "model_id": row["model_id"],
                "currency": row["currency"],
                "input_price_per_million": plain_price(row, "input"),
                "output_price_per_million": plain_price(row, "output"),
                "was_input_price_per_million": plain_price(row.get("was") or {}, "input"),
                "was_output_price_per_million": plain_price(row.get("was") or {}, "output"),
                "effective_date": row["effective_date"],
                "confidence": row["confidence"],
                "source": row["source"],
            }
    for one in found["disagreements"]:
        for opinion in one["opinions"]:
            yield {
                "state": "disagreement",
                "provider": one["provider"],
                "model_id": one["model_id"],
                "currency": opinion["currency"],
                "input_price_per_million": plain_price(opinion, "input"),
                "output_price_per_million": plain_price(opinion, "output"),
                "was_input_price_per_million": None,
                "was_output_price_per_million": None,
                "effective_date": None,
                "confidence": "provisional",
                "source": opinion["source"],
            }
