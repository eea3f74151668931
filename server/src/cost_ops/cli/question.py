"""The options that say which usage a question is about: a range of time, and filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from cost_ops.cli.session import Session
    from cost_ops.domain.costs import Filter
    from cost_ops.domain.periods import TimeRange

F = TypeVar("F", bound=Callable[..., Any])

PLAIN_FILTERS = ("provider", "model", "project", "user", "team")
RANGES = (
    "last-hour, last-24-hours, last-7-days, last-30-days, last-90-days, today, yesterday, this-week, last-week, "
    "this-month, last-month, this-quarter, last-quarter, this-year, last-year"
)


def filter_options(command: F) -> F:
    """--provider, --model, --project, --user, --team (each may be given several times) and --tag KEY=VALUE."""
    command = click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="only usage with this tag")(
        command
    )
    for name in reversed(PLAIN_FILTERS):
        command = click.option(f"--{name}", name, multiple=True, metavar="NAME", help=f"only this {name}; repeatable")(
            command
        )
    return command


def time_options(command: F) -> F:
    """--start, --end and --timezone."""
    for option in (
        click.option("--timezone", metavar="ZONE", help="IANA zone of days, weeks and months; UTC by default"),
        click.option("--end", metavar="TIME", help="a date or an RFC 3339 time; not included"),
        click.option("--start", metavar="TIME", help="a date or an RFC 3339 time"),
    ):
        command = option(command)
    return command


def currency_option(command: F) -> F:
    """--currency."""
    text = "convert amounts into this currency, each UTC day's by that day's exchange rate"
    return click.option("--currency", metavar="CODE", callback=_checked_currency, help=text)(command)


def _checked_currency(_context: click.Context, _option: click.Parameter, code: str | None) -> str | None:
    if code is not None:
        from cost_ops.domain.money import is_currency

        if not is_currency(code):
            raise click.BadParameter(f"{code[:20]!r} is no ISO 4217 code such as EUR")
    return code


def now() -> datetime:
    """The current instant."""
    from cost_ops.interfaces.clock import system_clock

    return system_clock()


def zone_of(session: Session, named: str | None) -> ZoneInfo:
    """The zone of the flag, else the configured one. Raises InvalidInput."""
    from cost_ops.domain.periods import parse_zone

    return parse_zone(named or session.settings.defaults.timezone)


def instant(text: str | None, name: str, zone: ZoneInfo) -> datetime | None:
    """A date (midnight in the zone) or a time. Raises InvalidInput."""
    from cost_ops.domain.periods import parse_date_or_instant

    return None if text is None else parse_date_or_instant(text, name, zone)


def span_of(preset: str | None, start: str | None, end: str | None, zone: ZoneInfo) -> TimeRange | None:
    """The range that is meant; None where nothing was said. Raises InvalidInput."""
    from cost_ops.domain.periods import EPOCH, TimeRange, preset_range

    if start is None and end is None:
        return None if preset is None else preset_range(preset, now=now(), zone=zone)
    if preset is not None:
        raise click.UsageError("give either a named range or --start and --end, not both")
    return TimeRange(instant(start, "start", zone) or EPOCH, instant(end, "end", zone) or now())


def filters_of(given: Mapping[str, Sequence[str]], tags: Sequence[str]) -> tuple[Filter, ...]:
    """The filters that the options state."""
    from cost_ops.domain.costs import Filter

    found = [_filter(name, values) for name, values in given.items() if values]
    wanted: dict[str, list[str]] = {}
    for tag in tags:
        key, mark, value = tag.partition("=")
        if not mark or not key:
            raise click.BadParameter(f"{tag!r} is not KEY=VALUE", param_hint="--tag")
        wanted.setdefault(key, []).append(value)
    found.extend(
        Filter(f"tag:{key}", "in" if len(values) > 1 else "eq", tuple(values)) for key, values in wanted.items()
    )
    return tuple(found)


def _filter(dimension: str, values: Sequence[str]) -> Filter:
    from cost_ops.domain.costs import Filter

    return Filter(dimension, "in" if len(values) > 1 else "eq", tuple(values))
