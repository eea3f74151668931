"""`cost-ops audit`: who did what, whether anybody touched the trail, and a copy of it for others to check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, current_context, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.output import Part
    from cost_ops.cli.progress import Progress

Document = Mapping[str, Any]
_INSTALLATION = "(installation)"
_TELL_EVERY = 1_000


@click.group(
    cls=Group,
    examples=(
        "cost-ops audit list --action access.refused",
        "cost-ops audit verify",
        "cost-ops audit export --output trail.jsonl",
    ),
)
def audit() -> None:
    """Who did what, and who was refused; and whether the trail is as it was written."""


@audit.command(
    "list",
    examples=(
        "cost-ops audit list --limit 100 --output json",
        "cost-ops audit list --actor user:0194d2c8-7e00-7000-8000-000000000001 --start 2026-03-01",
        "cost-ops audit list --action access.refused --address 203.0.113.9",
    ),
)
@click.option("--action", metavar="NAME", help="only events of this kind, such as prices.added")
@click.option("--actor", metavar="WHO", help="only what user:ID, the key with an id, `owner` or `unknown` did")
@click.option("--resource", metavar="NAME", help="only what was done to this thing")
@click.option("--address", metavar="IP", help="only requests from there")
@click.option("--start", metavar="TIME", help="from then; a date or an RFC 3339 time")
@click.option("--end", metavar="TIME", help="before then; a date or an RFC 3339 time")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="events at most")
@pass_session
def list_events(session: Session, /, *, start: str | None, end: str | None, limit: int, **given: str | None) -> None:
    """What was done and what was refused, newest first."""
    from cost_ops.cli.audit_backend import AuditSearch
    from cost_ops.cli.output import Column, Table
    from cost_ops.cli.prices import utc_instant

    wanted = AuditSearch(**given, start=utc_instant(start, "start"), end=utc_instant(end, "end"), limit=limit)
    events, total = session.backend.audit.search(session.named_organization, wanted)
    rows: list[tuple[Any, ...]] = [
        (_when(event), event["actor"], event["action"], _what(event), event["address"]) for event in events
    ]
    columns = [Column(header) for header in ("when (UTC)", "who", "what", "of what", "from")]
    if not any(event["address"] for event in events):
        columns, rows = columns[:4], [row[:4] for row in rows]
    left_out = total - len(events)
    notes = [f"{left_out:,} older events; --limit shows more."] if left_out > 0 else []
    session.output.show(events, Table(columns, rows), *notes, rows=_flat(events))


def _when(event: Document) -> str:
    return str(event["at"] or "unreadable")[:19].replace("T", " ")


def _what(event: Document) -> str:
    owner = event["organization_id"]
    return f"{event['resource']} ({owner})" if owner else str(event["resource"])


def _flat(events: Sequence[Document]) -> list[dict[str, Any]]:
    return [
        {**event, "detail": event["detail"] or "", "unreadable": ", ".join(event["unreadable"])} for event in events
    ]


@audit.command(
    examples=(
        "cost-ops audit verify",
        "cost-ops audit verify --organization org-123 "
        "--expect 42:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    )
)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="[CHAIN:]SEQUENCE:HASH",
    help="a head that was noted earlier; without CHAIN that of --organization, or the installation's; repeatable",
)
@pass_session
def verify(session: Session, /, *, expected: tuple[str, ...]) -> None:
    """Check every event's hash, and that none is missing. The exit code is 1 where anything is wrong.

    Note the heads that it prints where nobody who can write to the database can write, and give them to --expect later:
    so a trail that was hashed anew from some place on is found, too.
    """
    from cost_ops.cli.progress import Progress
    from cost_ops.domain.audit_chain import parse_anchors

    parse_anchors(expected)
    with Progress("Checking events", 100, hidden=session.output.quiet) as bar:
        found = session.backend.audit.verify(
            session.named_organization, expected, lambda done, total: bar.to(100 * done / max(total, done))
        )
    chains = found["data"]
    session.output.show(found, *_verdict_parts(chains), rows=[_verdict_row(chain) for chain in chains])
    if not found["whole"]:
        current_context().exit(1)


def _verdict_parts(chains: Sequence[Document]) -> list[Part]:
    from cost_ops.cli.output import Column, Table, count

    rows = [(_name(c), c["events"], "whole" if c["whole"] else f"{_faults(c):,} wrong") for c in chains]
    parts: list[Part] = [Table((Column("chain"), count("events"), Column("state")), rows)]
    wrong = [
        (_name(chain), fault["sequence"], fault["number"], fault["kind"].replace("_", " "), fault["message"])
        for chain in chains
        for fault in chain["faults"]
    ]
    if wrong:
        columns = [Column("chain"), count("sequence"), count("number"), Column("what"), Column("why")]
        parts.append(Table(columns, wrong))
        parts += [f"{_name(c)}: {c['more_faults']:,} more." for c in chains if c["more_faults"]]
    noted = [f"{chain['chain']}:{chain['head']}" for chain in chains if chain["whole"] and chain["events"]]
    if noted:
        parts += ["To note elsewhere, for --expect:", *noted]
    return parts


def _name(chain: Document) -> str:
    return chain["chain"] or _INSTALLATION


def _faults(chain: Document) -> int:
    return len(chain["faults"]) + int(chain["more_faults"])


def _verdict_row(chain: Document) -> Document:
    return {**{name: chain[name] for name in ("chain", "whole", "events", "head")}, "faults": _faults(chain)}


@audit.command(
    examples=(
        "cost-ops audit export --output trail.jsonl",
        "cost-ops audit export --organization org-123 --output trail.jsonl.gz --compress",
    )
)
@click.option("--output", "path", required=True, metavar="FILE", help="the file to write; - is standard output")
@click.option("--compress", is_flag=True, help="pack with gzip")
@pass_session
def export(session: Session, /, *, path: str, compress: bool) -> None:
    """Write all events as JSON lines, oldest first, each with its hash and the one before it.

    Any size takes the same memory. The file appears under its name when it is complete.
    """
    from cost_ops.cli.export import destination
    from cost_ops.cli.progress import Progress
    from cost_ops.domain.exact_json import json_text

    done = 0
    with destination(path, compress=compress) as file, Progress(f"Writing {path}", hidden=session.output.quiet) as bar:
        for event in _counted(session.backend.audit.export(session.named_organization), bar):
            file.write(json_text(event) + "\n")
            done += 1
    if path != "-":
        session.output.notice(f"{done:,} events written to {path}.")


def _counted(events: Iterator[Document], bar: Progress) -> Iterator[Document]:
    for number, event in enumerate(events, 1):
        if number % _TELL_EVERY == 0:
            bar.to(number)
        yield event
