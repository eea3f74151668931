"""The query parameters that routes share, and what they mean together: ranges, filters, pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cost_ops.api.money import MoneyWriter, as_number, as_text
from cost_ops.api.parameters import Given, Parameter, one_of, text, truth, whole
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.costs import DIMENSIONS, METRICS, TIME_DIMENSIONS, Filter, check_group_by
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.periods import PRESETS, TimeRange, parse_instant, parse_zone, preset_range
from cost_ops.domain.pricebook import ProviderNames
from cost_ops.domain.prices import check_currency
from cost_ops.domain.statuses import CostStatus

DEFAULT_RANGE = "last-30-days"
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d\Z)", re.ASCII)
_ALIASES = {f"{name}_id": name for name in ("model", "project", "user", "team", "api_key", "session")}


def alias_of(name: str) -> str:
    """The dimension that a field's name means: `model_id` groups by `model`."""
    return _ALIASES.get(name, name)


def instant(value: str, name: str) -> datetime:
    """RFC 3339 with an offset, between 1970 and 2200. A `+` that a client forgot to escape arrives as a space."""
    found = parse_instant(_LOST_PLUS.sub("+", value) if "T" in value else value, name)
    if not _FIRST <= found <= _LAST:
        raise invalid(name, "out_of_range", f"{name} must lie between 1970 and 2200, got {value[:40]!r}")
    return found


def _money(value: str, name: str) -> MoneyWriter:
    return as_text if one_of(("number", "string"))(value, name) == "string" else as_number


def _names(value: str, name: str) -> tuple[str, ...]:
    parts = [part.strip() for part in value.split(",")]
    return check_group_by([alias_of(part) for part in parts if part] or [text(value, name)])


def _words(values: tuple[str, ...]) -> Any:
    check = one_of(values)

    def parse(value: str, name: str) -> tuple[str, ...]:
        return tuple(check(part.strip(), name) for part in value.split(","))

    return parse


_TEXT = {"type": "string", "minLength": 1, "maxLength": 256}
_TIME = {"type": "string", "format": "date-time", "examples": ["2025-01-01T00:00:00Z"]}

MONEY = Parameter(
    "money",
    "`string` writes amounts as texts, for clients whose numbers are binary floats",
    {"type": "string", "enum": ["number", "string"], "default": "number"},
    _money,
)
ATOMIC = Parameter("atomic", "all records or none", {"type": "boolean", "default": False}, truth)
DETAILS = Parameter(
    "details",
    "each result also names its provider, model and tokens, as they were understood",
    {"type": "boolean", "default": False},
    truth,
)
ORGANIZATION = Parameter(
    "organization_id",
    "the organisation; a key of an organisation has its own",
    {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"},
    check_organization_id,
)
START = Parameter("start_date", "the first instant, RFC 3339 with an offset", _TIME, instant)
END = Parameter("end_date", "the end, not included, RFC 3339 with an offset", _TIME, instant)
_PRESET = {"type": "string", "enum": list(PRESETS)}
RANGE = Parameter("range", "a named range instead of dates", _PRESET, one_of(PRESETS))
PERIOD = Parameter("period", "the same as `range`", _PRESET, one_of(PRESETS))
TIMEZONE = Parameter(
    "timezone", "IANA zone of days, weeks and months", {"type": "string", "examples": ["Europe/Berlin"]}, parse_zone
)
SPAN = (START, END, RANGE, PERIOD, TIMEZONE)

_FILTERS = {
    "provider": "provider",
    "model_id": "model",
    "project_id": "project",
    "user_id": "user",
    "team_id": "team",
    "session_id": "session",
    "api_key_id": "api_key",
}
FILTERS = (
    *(
        Parameter(n, f"only this {d.replace('_', ' ')}; repeat it for any of several", _TEXT, text, many=True)
        for n, d in _FILTERS.items()
    ),
    Parameter(
        "status",
        "only costs of this status; repeat it for any of several",
        {"type": "string", "enum": [str(status) for status in CostStatus]},
        one_of([str(status) for status in CostStatus]),
        many=True,
    ),
)
GROUP_BY = Parameter(
    "group_by",
    f"comma separated or repeated: {', '.join((*DIMENSIONS, *TIME_DIMENSIONS))}, tag:KEY",
    {"type": "string", "examples": ["provider,model", "day"]},
    _names,
    many=True,
)
ORDER_BY = Parameter("order_by", "the metric to order by", {"type": "string", "enum": list(METRICS)}, one_of(METRICS))
ORDER = Parameter(
    "order", "direction of order_by", {"type": "string", "enum": ["desc", "asc"]}, one_of(("desc", "asc"))
)
LIMIT = Parameter("limit", "rows at most", {"type": "integer", "minimum": 1, "maximum": 100_000}, whole(1, 100_000))
DISPLAY_CURRENCY = Parameter(
    "display_currency",
    "convert amounts into this currency, each UTC day's by that day's exchange rate",
    {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]},
    check_currency,
)
PAGE = Parameter(
    "page",
    "the page, from 1",
    {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1},
    whole(1, 1_000_000),
)
PAGE_SIZE = Parameter(
    "page_size", "entries on a page", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, whole(1, 100)
)
CURSOR = Parameter(
    "cursor", "`next_cursor` of the page before: the fast way through large sets", {"type": "string"}, text
)
METRIC_NAMES = Parameter(
    "metrics", f"comma separated: {', '.join(METRICS)}", {"type": "string"}, _words(METRICS), many=True
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The range of a question: its name where it has one, its zone."""

    span: TimeRange
    zone: ZoneInfo
    name: str | None


def asked_range(given: Given, *, now: datetime, zone: ZoneInfo, default: str = DEFAULT_RANGE) -> Asked:
    """The range that was asked for, by dates or by name; `default` where nothing was said. Raises InvalidInput."""
    zone = given.get("timezone", zone)
    start, end = given.get("start_date"), given.get("end_date")
    names = [given.get(name) for name in ("range", "period") if given.get(name) is not None]
    if len(names) + (start is not None or end is not None) > 1:
        message = "give either start_date and end_date, or range, or period, not several"
        raise InvalidInput([Problem("range", "ambiguous", message)])
    if start is None and end is None:
        name = names[0] if names else default
        return Asked(preset_range(name, now=now, zone=zone), zone, name)
    end = end or max(now, start + timedelta(microseconds=1))
    return Asked(TimeRange(start or end - timedelta(days=30), end), zone, None)


def filters_of(given: Given, names: ProviderNames) -> tuple[Filter, ...]:
    """The filters of a query string; providers by their canonical name."""
    found = []
    for name, dimension in (*_FILTERS.items(), ("status", "status")):
        values = given.get(name)
        if values:
            if dimension == "provider":
                values = tuple(names.canonical(value) for value in values)
            found.append(Filter(dimension, "in", tuple(dict.fromkeys(values))))
    found.extend(Filter(f"tag:{key}", "in", values) for key, values in given.tags.items())
    return tuple(found)


def grouped(given: Given) -> tuple[str, ...]:
    """What to group by, each name once."""
    return tuple(dict.fromkeys(given.get("group_by", ())))
