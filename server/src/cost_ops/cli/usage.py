"""`cost-ops ingest`: usage from files into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, current_context, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.backend import Taken
    from cost_ops.cli.files import UsageFile
    from cost_ops.domain.records_file import Found

MAX_SHOWN = 20
BATCH_SIZE = 1000


@click.command(
    cls=Command,
    examples=(
        "cost-ops ingest --file usage.json",
        "cost-ops ingest --file usage.csv.gz --organization org-123 --dry-run",
        "cat usage.jsonl | cost-ops ingest --file - --provider openai --errors refused.jsonl",
    ),
)
@click.option("--file", "-f", "path", required=True, metavar="FILE", help="the file to read; - is standard input")
@click.option(
    "--format", "form", type=click.Choice(["auto", "json", "jsonl", "csv"]), default="auto", help="auto looks inside"
)
@click.option("--provider", metavar="NAME", help="provider of records that name none")
@click.option("--dry-run", is_flag=True, help="check and price, and write nothing")
@click.option("--errors", "errors_path", metavar="FILE", help="write every refused record here, as JSON lines")
@click.option(
    "--batch-size", type=click.IntRange(1, 10_000), default=BATCH_SIZE, show_default=True, help="records per commit"
)
@pass_session
def ingest(
    session: Session,
    /,
    *,
    path: str,
    form: str,
    provider: str | None,
    dry_run: bool,
    errors_path: str | None,
    batch_size: int,
) -> None:
    """Record usage from a file: a JSON array, JSON lines or CSV, also packed with gzip.

    Good records are kept and bad ones named with their line; then the exit code is 1. The same file twice counts once:
    a record without a key of its own gets one from the file's content and its place in it.
    """
    from cost_ops.cli.files import open_usage_file
    from cost_ops.cli.progress import Progress

    with ExitStack() as stack:
        file = stack.enter_context(open_usage_file(path))
        errors_file = stack.enter_context(open(errors_path, "w", encoding="utf-8")) if errors_path else None
        progress = stack.enter_context(Progress(f"Reading {file.name}", file.packed_size, hidden=session.output.quiet))
        tally = Tally(_error_writer(errors_file))
        organization = session.backend.usage.default_organization(session.organization)
        complete = _Completion(organization, provider, file.digest)
        for found in _batches(file.records(form, provider_given=provider is not None), batch_size):
            _ingest_batch(session, found, complete, tally, dry_run=dry_run)
            progress.to(file.position())
    _show(session, tally, file, dry_run=dry_run, errors_path=errors_path)
    if tally.refused:
        current_context().exit(1)


def _batches(items: Iterable[Found], size: int) -> Iterator[list[Found]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Completion:
    """What a record gets from outside where it does not say it: organisation, provider, key."""

    organization_id: str | None
    provider: str | None
    digest: str

    def fields(self, found: Found) -> dict[str, Any]:
        """The record's fields, complete."""
        fields = found.fields
        if fields.get("organization_id") is None and self.organization_id is not None:
            fields["organization_id"] = self.organization_id
        if fields.get("provider") is None and self.provider is not None:
            fields["provider"] = self.provider
        if not fields.get("idempotency_key") and not fields.get("request_id"):
            fields["idempotency_key"] = f"file:{self.digest}:{found.place}"
        return fields


@dataclass(slots=True)
class Tally:
    """What became of a file's records."""

    write_error: Callable[[int, Sequence[str]], None]
    recorded: int = 0
    replayed: int = 0
    refused: int = 0
    unpriced: int = 0
    costs: dict[str, Decimal] = field(default_factory=dict)
    shown: list[tuple[int, Sequence[str]]] = field(default_factory=list)

    def refuse(self, place: int, problems: Sequence[str]) -> None:
        """Count a bad record and remember the first ones."""
        self.refused += 1
        self.write_error(place, problems)
        if len(self.shown) < MAX_SHOWN:
            self.shown.append((place, problems))

    def take(self, place: int, taken: Taken) -> None:
        """Count the outcome of a record."""
        if taken.problems:
            self.refuse(place, taken.problems)
        elif taken.replayed:
            self.replayed += 1
        else:
            self.recorded += 1
            if taken.cost is None:
                self.unpriced += 1
            else:
                currency = taken.currency or "USD"
                self.costs[currency] = self.costs.get(currency, Decimal(0)) + taken.cost


def _write_nowhere(place: int, problems: Sequence[str]) -> None:
    """Refused records are told on the terminal only."""
    del place, problems


def _error_writer(file: Any) -> Callable[[int, Sequence[str]], None]:
    if file is None:
        return _write_nowhere
    from cost_ops.domain.exact_json import json_text

    def write(place: int, problems: Sequence[str]) -> None:
        file.write(json_text({"place": place, "reasons": list(problems)}) + "\n")

    return write


NO_ORGANIZATION = (
    "organization_id is required: add it to the record, name one with --organization, or set the default with "
    "`cost-ops config set defaults.organization ID`"
)


def _ingest_batch(
    session: Session, found: Sequence[Found], complete: _Completion, tally: Tally, *, dry_run: bool
) -> None:
    faults: list[Sequence[str]] = []
    records: list[dict[str, Any]] = []
    for item in found:
        fields = complete.fields(item)
        if item.problems:
            faults.append([problem.message for problem in item.problems])
        elif fields.get("organization_id") is None:
            faults.append([NO_ORGANIZATION])
        else:
            faults.append(())
            records.append(fields)
    answers = iter(session.backend.usage.ingest(records, dry_run=dry_run) if records else ())
    for item, fault in zip(found, faults, strict=True):
        if fault:
            tally.refuse(item.place, fault)
        else:
            tally.take(item.place, next(answers))


def _show(session: Session, tally: Tally, file: UsageFile, *, dry_run: bool, errors_path: str | None) -> None:
    from cost_ops.cli.output import Column, Table, format_money

    for place, problems in tally.shown:
        click.echo(f"{file.name}, {file.unit} {place}: {'; '.join(problems)}", err=True)
    if tally.refused > len(tally.shown):
        where = f"all are in {errors_path}" if errors_path else "--errors FILE writes them all"
        click.echo(f"… and {tally.refused - len(tally.shown):,} more; {where}", err=True)
    costs = dict(sorted(tally.costs.items()))
    document = {
        "file": file.name,
        "dry_run": dry_run,
        "recorded": tally.recorded,
        "already_there": tally.replayed,
        "rejected": tally.refused,
        "unpriced": tally.unpriced,
        "costs": [{"currency": currency, "cost": total} for currency, total in costs.items()],
    }
    rows: list[tuple[str, str]] = [
        ("would be recorded" if dry_run else "recorded", f"{tally.recorded:,}"),
        ("already there", "not checked" if dry_run else f"{tally.replayed:,}"),
        ("rejected", f"{tally.refused:,}"),
        ("unpriced", f"{tally.unpriced:,}"),
        *((f"cost ({currency})", format_money(total)) for currency, total in costs.items()),
    ]
    session.output.show(document, Table((Column("records"), Column("")), rows))
    if file.is_empty:
        session.output.notice(f"{file.name} is empty.")
    if tally.unpriced:
        session.output.notice("Unpriced usage is kept: `cost-ops pricing unpriced` lists it, `pricing add` prices it.")
