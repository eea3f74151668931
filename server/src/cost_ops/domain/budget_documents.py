"""Budgets as documents: reading what someone wrote, with every problem named, and writing it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

from cost_ops.domain.access import check_organization_id
from cost_ops.domain.budget_periods import FIRST_YEAR, LAST_YEAR, periods_json, read_periods
from cost_ops.domain.budgets import (
    DEFAULT_THRESHOLDS,
    DIMENSIONS,
    NO_ROLLOVER,
    Budget,
    Enforcement,
    Phase,
    Rollover,
    first_counted,
)
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.money import (
    decimal_from_e10,
    e10_from_decimal,
    format_decimal,
    is_currency,
    parse_decimal,
)
from cost_ops.domain.periods import format_instant, parse_instant
from cost_ops.domain.scopes import EVERYTHING, Scope
from cost_ops.domain.text import MAX_TAG_KEY, text_fault

Found = TypeVar("Found")
Names = Callable[[str, str], str]
"""(dimension, value) → the value as the ledger writes it: canonical providers, plain ids of keys."""

PERIOD_FIELDS = (
    "period", "timezone", "period_days", "anchor_date", "fiscal_year_start", "fiscal_pattern", "start_date", "end_date",
)  # fmt: skip
FIELDS = (
    "organization_id", "name", "amount", "currency", "scope", "alert_thresholds", "enforcement", "parent_id",
    "rollover", "phases", "effective_from", "effective_to", "escalate_after_minutes", "forecast_alerts", *PERIOD_FIELDS,
)  # fmt: skip
"""What a budget can be made of, and changed in (but for the organisation)."""

MAX_AMOUNT = 100_000_000
MAX_THRESHOLDS = 20
MAX_VALUES = 500
MAX_PHASES = 60
_ROLLOVER_FIELDS = ("unused", "overspent", "limit")
_ONE_WORD = {"none": NO_ROLLOVER, "unused": Rollover(unused=True), "overspent": Rollover(overspent=True),
             "both": Rollover(unused=True, overspent=True)}  # fmt: skip


def read_budget(
    document: Mapping[str, Any], *, organization_id: str, budget_id: str, by: str, now: datetime, names: Names
) -> Budget:
    """A new budget from its document. Raises InvalidInput with every problem."""
    problems: list[Problem] = [
        Problem(str(field)[:60], "unknown_field", f"{str(field)[:60]!r} is no field of a budget: {', '.join(FIELDS)}")
        for field in document
        if field not in FIELDS
    ]
    given = document.get("organization_id")
    if given is not None:
        _try(lambda: check_organization_id(str(given)), problems)
    periods = _try(lambda: read_periods({"period": "monthly", **_present(document, PERIOD_FIELDS)}), problems)
    given_name = _name(document.get("name"), problems)
    amount_e10 = _amount("amount", document.get("amount"), problems)
    currency = document.get("currency", "USD")
    if not isinstance(currency, str) or not is_currency(currency):
        problems.append(Problem("currency", "invalid_value", "currency must be an ISO 4217 code such as USD"))
    scope = _scope(document.get("scope"), problems, names)
    thresholds = _thresholds(document.get("alert_thresholds"), problems)
    enforcement = document.get("enforcement", Enforcement.SOFT.value)
    if enforcement not in tuple(Enforcement):
        problems.append(Problem("enforcement", "invalid_value", "enforcement must be soft or hard"))
    parent_id = document.get("parent_id")
    if parent_id is not None and (not isinstance(parent_id, str) or text_fault(parent_id, 64)):
        problems.append(Problem("parent_id", "invalid_value", "parent_id must be the id of a budget"))
    rollover = _rollover(document.get("rollover"), problems)
    phases = _phases(document.get("phases"), problems)
    effective_from = _instant("effective_from", document, problems)
    effective_to = _instant("effective_to", document, problems)
    if effective_from is not None and effective_to is not None and effective_to <= effective_from:
        problems.append(Problem("effective_to", "empty_range", "effective_to must be after effective_from"))
    escalate = _minutes(document.get("escalate_after_minutes"), problems)
    forecast = document.get("forecast_alerts", True)
    if not isinstance(forecast, bool):
        problems.append(Problem("forecast_alerts", "invalid_type", "forecast_alerts must be true or false"))
    if problems or periods is None:
        raise InvalidInput(problems)
    return Budget(
        budget_id=budget_id,
        organization_id=organization_id,
        name=given_name or _named_after(document.get("period"), scope),
        amount_e10=amount_e10,
        currency=currency,
        periods=periods,
        created_at=now,
        created_by=by,
        counted_from=first_counted(periods, effective_from, now),
        scope=scope,
        thresholds=thresholds,
        enforcement=Enforcement(enforcement),
        parent_id=parent_id,
        rollover=rollover,
        phases=phases,
        effective_from=effective_from,
        effective_to=effective_to,
        escalate_after_minutes=escalate,
        forecast_alerts=forecast,
        updated_at=now,
    )


def budget_document(budget: Budget) -> dict[str, Any]:
    """A budget as the document that `read_budget` reads; amounts are Decimals."""
    rollover = budget.rollover
    limit = {} if rollover.limit_e10 is None else {"limit": decimal_from_e10(rollover.limit_e10)}
    return {
        "name": budget.name,
        "amount": decimal_from_e10(budget.amount_e10),
        "currency": budget.currency,
        **periods_json(budget.periods),
        "scope": {dimension: sorted(values) for dimension, values in budget.scope.only},
        "alert_thresholds": list(budget.thresholds),
        "enforcement": str(budget.enforcement),
        "parent_id": budget.parent_id,
        "rollover": {"unused": rollover.unused, "overspent": rollover.overspent, **limit},
        "phases": [
            {"start_date": format_instant(phase.start), "amount": decimal_from_e10(phase.amount_e10)}
            for phase in budget.phases
        ],
        "effective_from": None if budget.effective_from is None else format_instant(budget.effective_from),
        "effective_to": None if budget.effective_to is None else format_instant(budget.effective_to),
        "escalate_after_minutes": budget.escalate_after_minutes,
        "forecast_alerts": budget.forecast_alerts,
    }


def stored_document(budget: Budget) -> dict[str, Any]:
    """The same as plain JSON: decimals are texts, which lose nothing on the way."""
    return {name: _plain(value) for name, value in budget_document(budget).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def same_names(dimension: str, value: str) -> str:  # noqa: ARG001
    """The value as it stands: for documents that were read before."""
    return value


def _present(document: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {name: document[name] for name in fields if document.get(name) is not None}


def _try(read: Callable[[], Found], problems: list[Problem]) -> Found | None:
    try:
        return read()
    except InvalidInput as error:
        problems.extend(error.problems)
        return None


def _name(value: Any, problems: list[Problem]) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value.strip():
        problems.append(Problem("name", "invalid_value", "name must be a text that is not empty"))
        return ""
    if fault := text_fault(value, 120):
        problems.append(Problem("name", fault[0], f"name {fault[1]}"))
    return value.strip()


def _named_after(period: Any, scope: Scope) -> str:
    """A name for a budget without one: its period and what it is about."""
    about = ", ".join(f"{dimension} {'/'.join(sorted(values))}" for dimension, values in scope.only)
    return f"{period or 'monthly'} budget{' of ' if about else ''}{about}"[:120].strip()


def _amount(field: str, value: Any, problems: list[Problem]) -> int:
    if value is None:
        problems.append(Problem(field, "missing_required_field", f"{field} is required"))
        return 0
    try:
        amount = parse_decimal(value)
    except ValueError:
        problems.append(Problem(field, "invalid_type", f"{field} must be a number, got {str(value)[:40]!r}"))
        return 0
    if not 0 < amount <= MAX_AMOUNT:
        message = f"{field} must be above 0 and at most {MAX_AMOUNT:,}, got {str(value)[:40]}"
        problems.append(Problem(field, "out_of_range", message))
        return 0
    if e10_from_decimal(amount) == 0:
        problems.append(Problem(field, "out_of_range", f"{field} must be at least 0.0000000001"))
    return e10_from_decimal(amount)


def _scope(value: Any, problems: list[Problem], names: Names) -> Scope:
    if value is None:
        return EVERYTHING
    if not isinstance(value, Mapping):
        message = 'scope must be an object such as {"project": "search", "model": ["gpt-4o"]}'
        problems.append(Problem("scope", "invalid_type", message))
        return EVERYTHING
    only: dict[str, frozenset[str]] = {}
    for dimension, given in value.items():
        tag = isinstance(dimension, str) and dimension.startswith("tag:") and 4 < len(dimension) <= 4 + MAX_TAG_KEY
        if dimension not in DIMENSIONS and not tag:
            known = ", ".join((*DIMENSIONS, "tag:KEY"))
            message = f"{str(dimension)[:60]!r} is nothing a budget can be about; known are {known}"
            problems.append(Problem(f"scope.{str(dimension)[:60]}", "unknown_scope", message))
            continue
        values = [given] if isinstance(given, str) else given
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            message = f"scope.{dimension} must be a text or a list of texts that are not empty"
            problems.append(Problem(f"scope.{dimension}", "invalid_type", message))
        elif len(values) > MAX_VALUES:
            problems.append(Problem(f"scope.{dimension}", "too_many", f"at most {MAX_VALUES} values"))
        elif fault := next((f for v in values if (f := text_fault(v))), None):
            problems.append(Problem(f"scope.{dimension}", fault[0], f"scope.{dimension} {fault[1]}"))
        else:
            only[dimension] = frozenset(names(dimension, v) for v in values)
    return Scope(tuple(sorted(only.items())))


def _thresholds(value: Any, problems: list[Problem]) -> tuple[Decimal, ...]:
    if value is None:
        return DEFAULT_THRESHOLDS
    field = "alert_thresholds"
    if not isinstance(value, list) or len(value) > MAX_THRESHOLDS:
        message = f"{field} must be a list of at most {MAX_THRESHOLDS} numbers such as [0.50, 0.75, 0.90]"
        problems.append(Problem(field, "invalid_type", message))
        return ()
    found: list[Decimal] = []
    for place, one in enumerate(value):
        try:
            threshold = parse_decimal(one)
        except ValueError:
            message = f"{field}[{place}] must be a number, got {str(one)[:40]!r}"
            problems.append(Problem(f"{field}[{place}]", "invalid_type", message))
            continue
        if not 0 < threshold <= 1 or threshold.quantize(Decimal("0.0001")) != threshold:
            hint = "; 75 % is written 0.75" if threshold > 1 else ""
            message = f"{field}[{place}] must be above 0 and at most 1, with at most 4 decimals{hint}"
            problems.append(Problem(f"{field}[{place}]", "out_of_range", message))
        found.append(threshold)
    if any(first >= second for first, second in pairwise(found)):
        problems.append(Problem(field, "not_sorted", f"{field} must rise, each once"))
    return tuple(Decimal(format_decimal(one)) for one in found)


def _rollover(value: Any, problems: list[Problem]) -> Rollover:
    if value is None or (isinstance(value, str) and value in _ONE_WORD):
        return _ONE_WORD[value or "none"]
    if not isinstance(value, Mapping) or any(name not in _ROLLOVER_FIELDS for name in value):
        message = "rollover must be none, unused, overspent or both, or an object of unused, overspent and limit"
        problems.append(Problem("rollover", "invalid_type", message))
        return NO_ROLLOVER
    for name in ("unused", "overspent"):
        if not isinstance(value.get(name, False), bool):
            problems.append(Problem(f"rollover.{name}", "invalid_type", f"rollover.{name} must be true or false"))
    limit = value.get("limit")
    limit_e10 = None if limit is None else _amount("rollover.limit", limit, problems)
    return Rollover(value.get("unused") is True, value.get("overspent") is True, limit_e10)


def _phases(value: Any, problems: list[Problem]) -> tuple[Phase, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_PHASES or not all(isinstance(one, Mapping) for one in value):
        message = f"phases must be a list of at most {MAX_PHASES} objects of start_date and amount"
        problems.append(Problem("phases", "invalid_type", message))
        return ()
    found = []
    for place, one in enumerate(value):
        start = _instant("start_date", one, problems, f"phases[{place}].start_date", required=True)
        amount_e10 = _amount(f"phases[{place}].amount", one.get("amount"), problems)
        if start is not None:
            found.append(Phase(start, amount_e10))
    if any(first.start >= second.start for first, second in pairwise(found)):
        problems.append(Problem("phases", "not_sorted", "phases must be in the order of their start_date, each once"))
    return tuple(found)


def _instant(
    name: str, document: Mapping[str, Any], problems: list[Problem], field: str = "", *, required: bool = False
) -> datetime | None:
    value, field = document.get(name), field or name
    if value is None:
        if required:
            problems.append(Problem(field, "missing_required_field", f"{field} is required"))
        return None
    found = _try(lambda: parse_instant(value if isinstance(value, str) else str(value), field), problems)
    if found is not None and not FIRST_YEAR <= found.year < LAST_YEAR:
        message = f"{field} must lie in the years {FIRST_YEAR} to {LAST_YEAR - 1}, got {str(value)[:40]!r}"
        problems.append(Problem(field, "out_of_range", message))
    return found


def _minutes(value: Any, problems: list[Problem]) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_080:
        message = "escalate_after_minutes must be a whole number of minutes from 1 to 10080 (a week)"
        problems.append(Problem("escalate_after_minutes", "out_of_range", message))
        return None
    return value
