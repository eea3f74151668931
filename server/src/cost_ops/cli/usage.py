"""`cost-ops ingest`: usage from files into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import rich_click as click

from cost_ops.cli.errors import Refused
from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, current_context, pass_session
from cost_ops.cli.tally import Place, Tally, error_writer

if TYPE_CHECKING:
    from cost_ops.cli.files import UsageFile, UsageSource
    from cost_ops.domain.formats.reading import Told
    from cost_ops.domain.records_file import Found

BATCH_SIZE = 1000
FORMATS = ("auto", "json", "jsonl", "csv", "responses", "openai-batch", "litellm", "langfuse", "claude-code", "codex")
"""Named here so that help starts quickly; a test compares them with the formats there are."""


@click.command(
    cls=Command,
    examples=(
        "cost-ops ingest --file usage.json",
        "cost-ops ingest --file usage.csv.gz --organization org-123 --dry-run",
        "cat responses.jsonl | cost-ops ingest --file - --format responses --provider openai",
        "cost-ops ingest --file ~/.claude/projects --format claude-code",
    ),
)
@click.option(
    "--file",
    "-f",
    "path",
    required=True,
    metavar="FILE",
    help="the file or folder of logs to read; - is standard input",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", help="auto looks inside")
@click.option("--provider", metavar="NAME", help="provider of records that name none")
@click.option("--model", metavar="NAME", help="model of records that name none, such as raw responses of Bedrock")
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
    model: str | None,
    dry_run: bool,
    errors_path: str | None,
    batch_size: int,
) -> None:
    """Record usage from a file: JSON, JSON lines or CSV, or what another system wrote; also packed with gzip.

    Good records are kept and bad ones named with their line; then the exit code is 1. The same file twice counts once:
    a record without a key of its own gets one from the file's content and its place in it.
    """
    from cost_ops.cli.files import UsageSource
    from cost_ops.cli.progress import Progress
    from cost_ops.domain.formats.reading import Told

    with ExitStack() as stack:
        source = UsageSource(path)
        errors_file = stack.enter_context(open(errors_path, "w", encoding="utf-8")) if errors_path else None
        tally = Tally(error_writer(errors_file))
        organization = session.backend.usage.default_organization(session.organization)
        reader = _Reader(source, form, organization, Told(provider, model))
        batches = _batches(reader.records(tally), batch_size)
        first = next(batches, [])
        label = f"Reading {source.name}"
        progress = stack.enter_context(Progress(label, source.packed_size, hidden=session.output.quiet))
        for batch in chain([first], batches):
            _ingest_batch(session, batch, tally, dry_run=dry_run)
            progress.to(source.position())
    _show(session, tally, reader, dry_run=dry_run, errors_path=errors_path)
    if tally.refused:
        current_context().exit(1)


def _batches(items: Iterable[_Placed], size: int) -> Iterator[list[_Placed]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class _Placed(NamedTuple):
    """A record and where it stands, complete with what it gets from outside: organisation, provider, key."""

    place: Place
    fields: dict[str, Any]
    problems: Sequence[str]


class _Reader:
    """The records of everything that `--file` names."""

    def __init__(self, source: UsageSource, form: str, organization_id: str | None, told: Told) -> None:
        self.source, self.form = source, form
        self._told = told
        self._outside = {"organization_id": organization_id, "provider": told.provider, "model_id": told.model}
        self.titles: dict[str, str] = {}
        """The formats that were found, by name."""

    def records(self, tally: Tally) -> Iterator[_Placed]:
        """Every record; what is to be skipped goes into the tally."""
        for file in self.source.files():
            reading = file.reading(self.form)
            known = reading.format
            if self.source.is_folder and (known is None or not known.folder):
                if self.form != "auto":
                    raise Refused(f"{self.source.name} is a folder; --format {self.form} reads single files: name one")
                tally.skip("files that are no session logs")
                continue
            self.titles[known.name if known else reading.syntax] = known.title if known else ""
            for found in file.records(reading, self._told):
                if found.skipped:
                    tally.skip(found.skipped)
                else:
                    yield self._placed(file, found)
        if self.source.is_folder and not self.titles:
            raise Refused(f"{self.source.name} is a folder, and holds no session logs; name a file")

    def _placed(self, file: UsageFile, found: Found) -> _Placed:
        fields = found.fields
        place = Place(file.name, file.unit, found.place, in_folder=self.source.is_folder)
        if found.problems:
            return _Placed(place, fields, [problem.message for problem in found.problems])
        for name, value in self._outside.items():
            if fields.get(name) is None and value is not None:
                fields[name] = value
        if not fields.get("idempotency_key") and not fields.get("request_id"):
            fields["idempotency_key"] = f"file:{file.digest}:{found.place}"
        return _Placed(place, fields, () if fields.get("organization_id") is not None else [NO_ORGANIZATION])


NO_ORGANIZATION = (
    "organization_id is required: add it to the record, name one with --organization, or set the default with "
    "`cost-ops config set defaults.organization ID`"
)


def _ingest_batch(session: Session, batch: Sequence[_Placed], tally: Tally, *, dry_run: bool) -> None:
    records = [item.fields for item in batch if not item.problems]
    answers = iter(session.backend.usage.ingest(records, dry_run=dry_run) if records else ())
    for item in batch:
        if item.problems:
            tally.refuse(item.place, item.problems)
        else:
            tally.take(item.place, next(answers))


def _show(session: Session, tally: Tally, reader: _Reader, *, dry_run: bool, errors_path: str | None) -> None:
    for place, problems in tally.shown:
        click.echo(f"{place}: {'; '.join(problems)}", err=True)
    if tally.refused > len(tally.shown):
        where = f"all are in {errors_path}" if errors_path else "--errors FILE writes them all"
        click.echo(f"… and {tally.refused - len(tally.shown):,} more; {where}", err=True)
    name = reader.source.name
    document = tally.document(name, ", ".join(sorted(reader.titles)), dry_run=dry_run)
    session.output.show(document, tally.table(dry_run=dry_run))
    for form, title in sorted(reader.titles.items()):
        if title and reader.form == "auto":
            session.output.notice(f"Read as {title} (--format {form}).")
    if reader.source.is_empty:
        session.output.notice(f"{name} is empty.")
    if tally.unpriced:
        session.output.notice("Unpriced usage is kept: `cost-ops pricing unpriced` lists it, `pricing add` prices it.")
