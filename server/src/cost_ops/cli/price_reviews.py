"""Price reviews as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cost_ops.cli.output import Column, Output, Part, Table
from cost_ops.cli.price_sync import change_text
from cost_ops.cli.prices import condition_text, priced_now, rate_text

Document = Mapping[str, Any]


def show_reviews(output: Output, found: Sequence[Document], total: int) -> None:
    """Reviews, one line each."""
    columns = (Column("id"), Column("provider"), Column("model"), Column("why"), Column("change"))
    rows = [(r["id"], r["provider"], r["model_id"], r["kind"], _first_change(r)) for r in found]
    parts: list[Part] = [Table(columns, rows, "Prices that wait for a decision")] if rows else ["No price waits."]
    if rows:
        parts.append("cost-ops pricing review show ID tells all; accept ID applies what waits, dismiss ID leaves it.")
    if total > len(found):
        parts.append(f"{len(found):,} of {total:,} reviews; --limit shows more.")
    flat = [{**{k: r[k] for k in _PLAIN}, "change": _first_change(r)} for r in found]
    output.show(list(found), *parts, rows=flat)


_PLAIN = ("id", "provider", "model_id", "kind", "status", "created_at", "decided_at", "decided_by")


def _first_change(review: Document) -> str | None:
    changes = review["changes"] or ()
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    between = " or " if review["kind"] == "disagreement" else " → "
    return f"{change_text(changes[0], between)}{more}" if changes else None


def show_review(output: Output, found: Document) -> None:
    """One review with its opinions side by side."""
    output.show(found, *_parts(found), rows=list(_flat(found)))


def show_accepted(output: Output, found: Document) -> None:
    """A review that was accepted, and what followed."""
    show_review(output, found)
    if found.get("price"):
        output.notice(f"{found['price']['id']} holds from {found['price']['effective_date']}.")
    if found.get("priced_records"):
        output.notice(priced_now(found["priced_records"]))


def _parts(found: Document) -> list[Part]:
    about = [
        ("id", found["id"]),
        ("model", f"{found['provider']} / {found['model_id']}"),
        ("why", found["kind"]),
        ("status", found["status"] + (f" by {found['decided_by']}" if found["decided_by"] else "")),
        ("raised", found["created_at"]),
    ]
    if found["through"]:
        about.append(("priced as", found["through"]))
    opinions = found["opinions"]
    names = [_name(number, opinion, found) for number, opinion in enumerate(opinions, 1)]
    rates = _side_by_side(opinions)
    parts: list[Part] = [Table((Column("review"), Column("")), about)]
    parts.append(Table((Column("meter"), *(Column(str(n)) for n, _ in enumerate(opinions, 1)), Column("when")), rates))
    parts.append(Table((Column(""), Column("according to"), Column("page")), names))
    return parts


def _name(number: int, opinion: Document, found: Document) -> tuple[Any, ...]:
    published = found["published"]
    holds = found["status"] == "open" and published and opinion["fingerprint"] == published["fingerprint"]
    return f"{number}{' (holds)' if holds else ''}", opinion["source"], opinion["url"]


def _side_by_side(opinions: Sequence[Document]) -> list[tuple[Any, ...]]:
    """One line for every rate that someone states; a dash where an opinion says nothing."""
    lines: dict[tuple[str, str], list[str | None]] = {}
    for number, opinion in enumerate(opinions):
        for rate in opinion["rates"]:
            line = lines.setdefault((rate["meter"], condition_text(rate)), [None] * len(opinions))
            line[number] = rate_text(rate, opinion["currency"])
    return [(meter, *texts, when) for (meter, when), texts in lines.items()]


def _flat(found: Document) -> Sequence[Document]:
    return [
        {
            "id": found["id"],
            "provider": found["provider"],
            "model_id": found["model_id"],
            "kind": found["kind"],
            "status": found["status"],
            "opinion": number,
            "source": opinion["source"],
            "url": opinion["url"],
            "meter": rate["meter"],
            "rate": rate_text(rate, opinion["currency"]),
            "when": condition_text(rate),
        }
        for number, opinion in enumerate(found["opinions"], 1)
        for rate in opinion["rates"]
    ]
