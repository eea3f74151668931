"""Cost questions from JSON bodies: the filter language of POST /costs/query and /costs/breakdown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from cost_ops.api.fields import Fields
from cost_ops.api.parameters import Given, one_of
from cost_ops.api.parameters_known import Asked, alias_of, asked_range, instant
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.costs import (
    COMPARISONS,
    DIMENSIONS,
    METRICS,
    OPERATORS,
    TIME_DIMENSIONS,
    CostQuery,
    Filter,
    Having,
    check_dimension,
    check_group_by,
)
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.money import e10_from_decimal, parse_decimal
from cost_ops.domain.periods import PRESETS, parse_zone
from cost_ops.domain.pricebook import ProviderNames
from cost_ops.domain.prices import check_currency
from cost_ops.domain.text import text_fault

KNOWN = (
    "organization_id",
    "start_date",
    "end_date",
    "range",
    "period",
    "timezone",
    "group_by",
    "filters",
    "order_by",
    "order",
    "limit",
    "display_currency",
)
MAX_FILTERS, MAX_VALUES = 50, 1000
_FILTER_FIELDS = frozenset({"dimension", "metric", "op", "value", "values"})

_VALUES: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_VALUES}
QUESTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "organization_id": {"type": "string", "examples": ["org-123"]},
        "start_date": {"type": "string", "format": "date-time"},
        "end_date": {"type": "string", "format": "date-time"},
        "range": {"type": "string", "enum": list(PRESETS)},
        "period": {"type": "string", "enum": list(PRESETS)},
        "timezone": {"type": "string", "examples": ["Europe/Berlin"]},
        "group_by": {
            "type": "array",
            "items": {"type": "string"},
            "description": f"any of {', '.join((*DIMENSIONS, *TIME_DIMENSIONS))}, tag:KEY",
        },
        "filters": {
            "type": "array",
            "maxItems": MAX_FILTERS,
            "description": "all must hold; `metric` filters are bounds on the grouped rows",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["op"],
                "properties": {
                    "dimension": {"type": "string"},
                    "metric": {"type": "string", "enum": list(METRICS)},
                    "op": {"type": "string", "enum": [*OPERATORS, *COMPARISONS]},
                    "values": _VALUES,
                    "value": {"type": ["string", "number"]},
                },
            },
        },
        "order_by": {"type": "string", "enum": list(METRICS)},
        "order": {"type": "string", "enum": ["desc", "asc"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100_000},
        "display_currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "convert amounts into this currency; bounds on cost are then in it",
        },
    },
}


def read_question(
    body: Any, *, names: ProviderNames, now: datetime, zone: ZoneInfo, group_required: bool
) -> tuple[str | None, Asked, CostQuery]:
    """(organisation, range, question) of a body. Raises InvalidInput with every problem."""
    fields = Fields(body, KNOWN, what="a cost question")
    organization_id = fields.parsed("organization_id", check_organization_id)
    times = {
        "start_date": fields.parsed("start_date", instant),
        "end_date": fields.parsed("end_date", instant),
        "range": fields.parsed("range", one_of(PRESETS)),
        "period": fields.parsed("period", one_of(PRESETS)),
        "timezone": fields.parsed("timezone", parse_zone),
    }
    group_by = _group_by(fields, required=group_required)
    filters, having = _filters(fields, names)
    order_by = fields.parsed("order_by", one_of(METRICS))
    order = fields.parsed("order", one_of(("desc", "asc")))
    limit = fields.whole("limit", 1, 100_000)
    display_currency = fields.parsed("display_currency", check_currency)
    given = Given({name: value for name, value in times.items() if value is not None})
    asked = fields.attempt(lambda: asked_range(given, now=now, zone=zone))
    fields.done()
    if asked is None:
        raise InvalidInput(fields.problems)
    question = CostQuery(
        asked.span,
        asked.zone,
        group_by=group_by,
        filters=filters,
        having=having,
        order_by=order_by,
        descending=order != "asc",
        limit=limit,
        display_currency=display_currency,
    )
    return organization_id, asked, question


def _group_by(fields: Fields, *, required: bool) -> tuple[str, ...]:
    names = fields.texts("group_by")
    if not names:
        if required and (names is not None or "group_by" not in fields.values):
            fields.add("group_by", "missing_required_field", "group_by is required")
        return ()
    for name in names:
        if fault := text_fault(name):
            fields.add("group_by", fault[0], f"group_by {fault[1]}")
            return ()
    return fields.attempt(lambda: check_group_by([alias_of(name) for name in names])) or ()


def _filters(fields: Fields, names: ProviderNames) -> tuple[tuple[Filter, ...], tuple[Having, ...]]:
    items = fields.values.get("filters", [])
    if not isinstance(items, list):
        fields.add("filters", "invalid_type", "filters must be a list of filters")
        return (), ()
    if len(items) > MAX_FILTERS:
        fields.add("filters", "too_many", f"filters holds {len(items)}; the limit is {MAX_FILTERS}")
        return (), ()
    filters: list[Filter] = []
    having: list[Having] = []
    for index, item in enumerate(items):
        where = f"filters[{index}]"
        found = fields.attempt(lambda item=item, where=where: _filter(item, where, names))  # type: ignore[misc]
        if isinstance(found, Filter):
            filters.append(found)
        elif isinstance(found, Having):
            having.append(found)
    return tuple(filters), tuple(having)


def _filter(item: Any, where: str, names: ProviderNames) -> Filter | Having:
    if not isinstance(item, Mapping):
        raise InvalidInput([Problem(where, "invalid_type", f"{where} must be an object")])
    problems = [
        Problem(f"{where}.{str(n)[:60]}", "unknown_field", f"{str(n)[:60]!r} is not part of a filter")
        for n in item
        if n not in _FILTER_FIELDS
    ]
    if problems:
        raise InvalidInput(problems)
    if ("dimension" in item) == ("metric" in item):
        raise InvalidInput([Problem(where, "ambiguous", f"{where} must have either dimension or metric")])
    return _having(item, where) if "metric" in item else _dimension_filter(item, where, names)


def _dimension_filter(item: Mapping[str, Any], where: str, names: ProviderNames) -> Filter:
    dimension, operator = item["dimension"], item.get("op")
    values = item.get("values", [item["value"]] if "value" in item else None)
    problems: list[Problem] = []
    if not isinstance(dimension, str) or text_fault(dimension):
        problems.append(Problem(f"{where}.dimension", "invalid_type", f"{where}.dimension must be a text"))
        raise InvalidInput(problems)
    dimension = alias_of(dimension)
    if fault := check_dimension(dimension, f"{where}.dimension"):
        problems.append(fault)
    if operator not in OPERATORS:
        message = f"{where}.op must be one of {', '.join(OPERATORS)}"
        problems.append(Problem(f"{where}.op", "invalid_value", message))
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        message = f"{where}.values must be a list of 1 to {MAX_VALUES} texts"
        problems.append(Problem(f"{where}.values", "invalid_type", message))
    elif not all(isinstance(v, str) and text_fault(v) is None for v in values):
        problems.append(Problem(f"{where}.values", "invalid_type", f"{where}.values must be printable texts"))
    if problems or not isinstance(values, list):
        raise InvalidInput(problems)
    if dimension == "provider" and operator in ("eq", "ne", "in", "not_in"):
        values = [names.canonical(value) for value in values]
    return Filter(dimension, str(operator), tuple(dict.fromkeys(values)))


def _having(item: Mapping[str, Any], where: str) -> Having:
    metric, comparison, value = item["metric"], item.get("op"), item.get("value")
    problems: list[Problem] = []
    if metric not in METRICS:
        problems.append(
            Problem(f"{where}.metric", "invalid_value", f"{where}.metric must be one of {', '.join(METRICS)}")
        )
    if comparison not in COMPARISONS:
        message = f"{where}.op must be one of {', '.join(COMPARISONS)}"
        problems.append(Problem(f"{where}.op", "invalid_value", message))
    bound = Decimal(0)
    try:
        bound = parse_decimal(value)  # type: ignore[arg-type]
    except ValueError as error:
        problems.append(Problem(f"{where}.value", "invalid_type", f"{where}.value: {str(error)[:100]}"))
    if problems:
        raise InvalidInput(problems)
    if metric == "cost":
        return Having("cost", str(comparison), e10_from_decimal(bound))
    if bound != bound.to_integral_value():
        message = f"{where}.value must be a whole number"
        raise InvalidInput([Problem(f"{where}.value", "not_integer", message)])
    return Having(str(metric), str(comparison), int(bound))
