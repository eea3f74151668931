"""`cost-ops export`: records or sums to a file."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Any, cast

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.question import RANGES, filter_options, filters_of, now, span_of, time_options, zone_of
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.progress import Progress
    from cost_ops.domain.costs import Filter
    from cost_ops.domain.periods import TimeRange

COLUMNS = (
    "usage_id",
    "organization_id",
    "timestamp",
    "provider",
    "model_id",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cached_tokens",
    "status",
    "cost",
    "currency",
    "price_id",
    "project_id",
    "user_id",
    "team_id",
    "session_id",
    "api_key_id",
    "service_tier",
    "processing",
    "region",
    "latency_ms",
    "reported_cost",
    "quantities",
    "tags",
    "metadata",
    "received_at",
)
"""The columns of records in CSV; quantities, tags and metadata are JSON."""


@click.command(
    cls=Command,
    examples=(
        "cost-ops export --output full-export.csv --format csv --all",
        "cost-ops export --output march.jsonl.gz --format jsonl --start 2025-03-01 --end 2025-04-01 --compress",
        "cost-ops export --output - --format csv --period last-month --group-by day,project",
    ),
)
@click.option("--output", "path", required=True, metavar="FILE", help="the file to write; - is standard output")
@click.option("--format", "form", type=click.Choice(["csv", "json", "jsonl"]), default="csv", show_default=True)
@click.option("--all", "everything", is_flag=True, help="everything that was ever recorded")
@click.option("--period", metavar="RANGE", help=f"{RANGES}; last-30-days where nothing is said")
@time_options
@filter_options
@click.option("--group-by", metavar="A,B", help="sums by these instead of records")
@click.option("--compress", is_flag=True, help="pack with gzip")
@pass_session
def export(
    session: Session,
    /,
    *,
    path: str,
    form: str,
    everything: bool,
    period: str | None,
    start: str | None,
    end: str | None,
    timezone: str | None,
    tags: tuple[str, ...],
    group_by: str | None,
    compress: bool,
    **given: tuple[str, ...],
) -> None:
    """Write usage records with their costs, or sums, to a file.

    Any size takes the same memory. The file appears under its name when it is complete.
    """
    from cost_ops.cli.progress import Progress
    from cost_ops.services import exports

    if everything and (period or start or end):
        raise click.UsageError("give either --all or a range of time, not both")
    zone = zone_of(session, timezone)
    span = None if everything else span_of(period, start, end, zone) or span_of("last-30-days", None, None, zone)
    filters = filters_of(given, tags)
    with destination(path, compress=compress) as file, Progress(f"Writing {path}", hidden=session.output.quiet) as bar:
        if group_by is None:
            columns: tuple[str, ...] = COLUMNS
            rows = _counted(_records(session, span, filters), bar)
        else:
            rows, columns = _sums(session, span, filters, group_by, zone.key)
        done = exports.write(rows, form, file, columns)
    if path != "-":
        session.output.notice(f"{done:,} {'records' if group_by is None else 'rows'} written to {path}.")


def _counted(rows: Iterator[Mapping[str, Any]], bar: Progress) -> Iterator[Mapping[str, Any]]:
    for number, row in enumerate(rows, 1):
        if number % 1000 == 0:
            bar.to(number)
        yield row


def _records(session: Session, span: TimeRange | None, filters: tuple[Filter, ...]) -> Iterator[Mapping[str, Any]]:
    return session.backend.usage.stream(session.organization, span, filters)


def _sums(
    session: Session, span: TimeRange | None, filters: tuple[Filter, ...], group_by: str, zone: str
) -> tuple[Iterator[Mapping[str, Any]], tuple[str, ...]]:
    from cost_ops.domain.costs import CostQuery, check_group_by
    from cost_ops.domain.periods import parse_zone

    names = check_group_by([name.strip() for name in group_by.split(",") if name.strip()])
    question = CostQuery(span=span or _everything(), zone=parse_zone(zone), group_by=names, filters=filters)
    found = session.backend.costs.query(session.organization, question)["breakdown"]
    columns = (*names, "currency", "cost", "requests", "input_tokens", "output_tokens", "total_tokens")
    return iter(found), (*columns, "cached_tokens", "unpriced_requests", "estimated_requests", "estimated_cost")


def _everything() -> TimeRange:
    """From the first instant that usage may have to a day from now."""
    from datetime import timedelta

    from cost_ops.domain.periods import TimeRange
    from cost_ops.domain.submission import EARLIEST

    return TimeRange(EARLIEST, now() + timedelta(days=1))


@contextmanager
def destination(path: str, *, compress: bool) -> Iterator[IO[str]]:
    """Where to write: stdout, or a file that gets its name once it is complete."""
    if path == "-":
        with _packed(sys.stdout.buffer, compress=compress) as file:
            yield file
        return
    target = Path(path)
    if target.is_dir():
        raise click.BadParameter(f"{path} is a folder; name a file in it", param_hint="--output")
    if not target.parent.is_dir():
        raise click.BadParameter(f"there is no folder {target.parent}", param_hint="--output")
    temporary = NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False)  # noqa: SIM115
    try:
        with temporary, _packed(cast("IO[bytes]", temporary), compress=compress) as file:
            yield file
        os.chmod(temporary.name, 0o666 & ~_umask())
        os.replace(temporary.name, target)
    except BaseException:
        Path(temporary.name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _packed(raw: IO[bytes], *, compress: bool) -> Iterator[IO[str]]:
    if not compress:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield text
        text.flush()
        text.detach()
        return
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed:
        text = io.TextIOWrapper(cast("IO[bytes]", packed), encoding="utf-8", newline="")
        yield text
        text.flush()
        text.detach()
