"""Exchange rates: list, look up, import."""

from __future__ import annotations

from datetime import date
from typing import Any

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter
from cost_ops.api.parameters_known import PAGE, PAGE_SIZE
from cost_ops.api.schemas.exchange_rates import (
    NEW_RATES,
    EffectiveRateAnswer,
    ExchangeRatePage,
    ImportedAnswer,
    effective_rate_view,
    imported_view,
    rate_view,
)
from cost_ops.domain.errors import InvalidInput, invalid
from cost_ops.domain.exchange_files import parse_day, rates_from_fields
from cost_ops.domain.prices import check_currency
from cost_ops.services import exchange
from cost_ops.services.exchange import RateQuery

routes = Routes("Exchange rates")
MAX_RATES = 10_000
_CODE = {"type": "string", "pattern": "^[A-Z]{3}$"}
_DAY = {"type": "string", "format": "date", "examples": ["2026-03-13"]}
_EXAMPLE = {
    "source": "European Central Bank",
    "rates": [{"date": "2026-03-13", "base": "EUR", "quote": "USD", "rate": "1.1477"}],
}


def _day(value: str, name: str) -> date:
    found = parse_day(value)
    if found is None:
        raise invalid(name, "invalid_value", f"{name} must be a day such as 2026-03-13, got {value[:40]!r}")
    return found


DATE = Parameter("date", "the UTC day; today where it is not given", _DAY, _day)
FIRST = Parameter("first_date", "only rates from this UTC day on", _DAY, _day)
LAST = Parameter("last_date", "only rates up to this UTC day, included", _DAY, _day)


def _code(name: str, description: str, *, required: bool) -> Parameter:
    return Parameter(name, description, _CODE, check_currency, required=required)


@routes.add(
    "GET",
    "/api/v1/exchange-rates",
    summary="Stored exchange rates, newest first",
    answer=ExchangeRatePage,
    permission="costs:read",
    parameters=(
        _code("base", "only rates of one unit of this currency", required=False),
        _code("quote", "only rates in this currency", required=False),
        FIRST,
        LAST,
        PAGE,
        PAGE_SIZE,
    ),
    scoped=True,
)
def list_rates(call: Call) -> ExchangeRatePage:
    """A page of stored rates."""
    given = call.given
    page, page_size = given.get("page", 1), given.get("page_size", 20)
    query = RateQuery(
        given.get("base"), given.get("quote"), given.get("first_date"), given.get("last_date"), page, page_size
    )
    found, total = exchange.list_rates(call.ctx, query)
    about = pagination(page=page, page_size=page_size, total=total, has_next=page * page_size < total)
    return ExchangeRatePage([rate_view(rate) for rate in found], about)


@routes.add(
    "GET",
    "/api/v1/exchange-rates/effective",
    summary="How one currency becomes another on a UTC day: its rate, else the last within a week; crosses included",
    answer=EffectiveRateAnswer,
    permission="costs:read",
    parameters=(
        _code("base", "the currency to convert from", required=True),
        _code("quote", "the currency to convert into", required=True),
        DATE,
    ),
    scoped=True,
)
def effective(call: Call) -> EffectiveRateAnswer:
    """The rate of a day; 404 where there is none."""
    given: dict[str, Any] = {name: call.given.get(name) for name in ("base", "quote", "date")}
    day = given["date"] or call.application.clock().date()
    found = exchange.effective(call.ctx, given["base"], given["quote"], day)
    return EffectiveRateAnswer(effective_rate_view(given["base"], given["quote"], day.isoformat(), found))


@routes.add(
    "POST",
    "/api/v1/exchange-rates",
    summary="Import exchange rates; a stored rate that differs stands unless `replace`",
    answer=ImportedAnswer,
    status=201,
    permission="admin:*",
    body=BodyOf(NEW_RATES, {"ecb": _EXAMPLE}),
)
def add_rates(call: Call) -> Reply:
    """Store rates."""
    fields = Fields(call.body, tuple(NEW_RATES["properties"]), what="an import of exchange rates")
    source, replace = fields.text("source"), fields.truth("replace")
    items = fields.values.get("rates")
    if isinstance(items, list) and len(items) > MAX_RATES:
        fields.add("rates", "too_many", f"rates holds {len(items):,}; the limit is {MAX_RATES:,}")
        items = None
    rates = fields.attempt(lambda: rates_from_fields(items, source or "manual")) if not fields.problems else None
    fields.done()
    if rates is None:
        raise InvalidInput(fields.problems)
    return Reply(201, ImportedAnswer(imported_view(exchange.import_rates(call.ctx, rates, replace=replace))))
