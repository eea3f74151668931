"""Answers in one currency on real databases: exact, the same however they are grouped, originals beside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from cost_ops.bootstrap import Application
from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery, CostReport, Filter, Having
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.periods import TimeRange, format_instant, parse_zone
from cost_ops.services import costs, exchange
from cost_ops.services.exchange import RateQuery
from tests.domain.builders import NOW
from tests.services.conftest import Desk

DAYS = [NOW.date() - timedelta(days=n) for n in range(6)]
SPAN = TimeRange(NOW - timedelta(days=5), NOW + timedelta(hours=1))


def rate(quote: str, day: date, value: str, base: str = "EUR") -> ExchangeRate:
    return ExchangeRate(base, quote, day, Decimal(value), "ECB")


@pytest.fixture
def desk(application: Application) -> Desk:
    """An organisation with usage in dollars and yen on five days, and rates for most of them."""
    found = Desk(application)
    exchange.import_rates(found.ctx, [rate("USD", day, f"1.{n}7") for n, day in enumerate(DAYS)], replace=True)
    exchange.import_rates(found.ctx, [rate("JPY", DAYS[4], "163.13")], replace=True)
    found.price("usd", input_price_per_million="3.3333333333", output_price_per_million="7.7")
    found.price("jpy", currency="JPY", input_price_per_million="451.7", output_price_per_million="1")
    found.price("xau", currency="XAU", input_price_per_million="1", output_price_per_million="1")
    found.record(
        *(
            found.submission(
                model_id=model,
                input_tokens=1001 * (n + 1),
                output_tokens=7 + hour,
                project_id=f"p{hour % 2}",
                timestamp=format_instant(NOW - timedelta(days=n, hours=hour)),
            )
            for n in range(4)
            for hour in (1, 5, 11)
            for model in ("usd", "jpy", "nothing")
        )
    )
    return found


def ask(desk: Desk, *group_by: str, into: str | None = "EUR", **more: object) -> CostReport:
    query = replace(CostQuery(SPAN, group_by=group_by, display_currency=into), **more)  # type: ignore[arg-type]
    return costs.query(desk.ctx, desk.org, query)


def total(report: CostReport, currency: str = "EUR") -> int:
    return next(row.cost_e10 for row in report.totals if row.currency == currency)


def test_a_total_is_the_sum_of_its_days_each_by_its_own_rate(desk: Desk) -> None:
    report = ask(desk)
    days = [ask(desk, into=None, span=TimeRange(_start(day), _start(day) + timedelta(days=1))) for day in DAYS[:4]]
    expected = 0
    for day, found in zip(DAYS, days, strict=False):
        for row in found.totals:
            if row.currency:
                conversion = exchange.effective(desk.ctx, row.currency, "EUR", day)
                exact = row.cost_e10 * conversion.ratio
                expected += round(exact)
    assert total(report) == expected
    assert {row.currency for row in report.totals} == {"EUR"}
    assert {row.currency: row.cost_e10 for row in report.original_totals} == {
        row.currency: row.cost_e10 for row in ask(desk, into=None).totals
    }


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize(
    "group_by", [("model",), ("day",), ("hour",), ("project", "model"), ("week", "status"), ("currency",)]
)
def test_rows_add_up_to_the_total_whatever_they_are_grouped_by(desk: Desk, group_by: tuple[str, ...]) -> None:
    whole, grouped = ask(desk), ask(desk, *group_by)
    assert sum(row.cost_e10 for row in grouped.rows if row.currency == "EUR") == total(whole) == total(grouped)
    assert sum(row.requests for row in grouped.rows) == 36
    assert total(ask(desk, *group_by, from_records=True)) == total(whole)


def test_days_of_another_zone_add_up_too(desk: Desk) -> None:
    report = ask(desk, "day", zone=parse_zone("Asia/Kolkata"))
    assert sum(row.cost_e10 for row in report.rows if row.currency == "EUR") == total(ask(desk))


def test_usage_without_a_price_is_counted_and_in_no_sum(desk: Desk) -> None:
    report = ask(desk)
    assert sum(row.unpriced_requests for row in report.totals) == 12


def test_the_rates_and_their_days_are_told(desk: Desk) -> None:
    told = ask(desk).converted
    assert told is not None
    used = {(u.currency, u.conversion.day, u.conversion.source): u.days for u in told.used}
    assert used == {("USD", day, "ECB"): 1 for day in DAYS[:4]} | {("JPY", DAYS[4], "ECB"): 4}
    assert (told.currency, list(told.missing)) == ("EUR", [])
    assert ask(desk, into=None).converted is None


def test_what_has_no_rate_stays_apart(desk: Desk) -> None:
    desk.record(desk.submission(model_id="xau", input_tokens=1_000_000, output_tokens=0))
    report = ask(desk)
    assert total(report, "XAU") == 10**10
    assert report.converted is not None
    assert [(m.currency, m.days) for m in report.converted.missing] == [("XAU", 1)]


def test_bounds_and_order_are_in_the_display_currency(desk: Desk) -> None:
    rows = ask(desk, "model", into="JPY").rows
    assert [row.group[0] for row in rows] == ["jpy", "usd", "nothing"]
    bound = rows[1].cost_e10
    kept = ask(desk, "model", into="JPY", having=(Having("cost", "gt", bound),)).rows
    assert [row.group[0] for row in kept] == ["jpy"]
    only = ask(desk, filters=(Filter("model", "eq", ("usd",)),), into="USD")
    assert only.original_totals == only.totals


def test_crosses_go_over_the_euro(desk: Desk) -> None:
    found = exchange.effective(desk.ctx, "USD", "JPY", DAYS[3])
    assert (found.day, found.via) == (DAYS[4], "EUR")
    with pytest.raises(NotFound, match="currencies import"):
        exchange.effective(desk.ctx, "USD", "JPY", DAYS[5])
    with pytest.raises(InvalidInput):
        exchange.effective(desk.ctx, "usd", "JPY")


def test_a_stored_rate_stands_until_it_is_replaced(desk: Desk) -> None:
    day = date(2001, 1, 2)
    first = [rate("USD", day, "1.10"), rate("GBP", day, "0.5")]
    assert exchange.import_rates(desk.ctx, first, replace=True).kept == []
    again = exchange.import_rates(desk.ctx, [*first, rate("CHF", day, "2")], replace=False)
    assert (again.unchanged + again.added, again.replaced) == (3, 0)
    other = exchange.import_rates(desk.ctx, [rate("USD", day, "1.2")], replace=False)
    assert (other.added, other.kept) == (0, [rate("USD", day, "1.1")])
    assert exchange.effective(desk.ctx, "EUR", "USD", day).ratio == Decimal("1.1")
    assert exchange.import_rates(desk.ctx, [rate("USD", day, "1.2")], replace=True).replaced == 1
    assert exchange.effective(desk.ctx, "EUR", "USD", day).ratio == Decimal("1.2")
    page, count = exchange.list_rates(desk.ctx, RateQuery(base="EUR", first=day, last=day, page_size=2))
    assert ([r.quote for r in page], count) == (["CHF", "GBP"], 3)


def test_imports_that_change_something_are_kept(desk: Desk) -> None:
    day = date(2003, 3, 3)

    def imports() -> int:
        with desk.ctx.storage.installation() as installation:
            return installation.audit.page(action="exchange_rates.imported")[1]

    exchange.import_rates(desk.ctx, [rate("GBP", day, "0.7")], replace=True)
    before = imports()
    exchange.import_rates(desk.ctx, [rate("GBP", day, "0.7")])
    assert imports() == before
    exchange.import_rates(desk.ctx, [rate("GBP", day, f"0.{desk.org.partition('-')[2]}1")], replace=True)
    assert imports() == before + 1


def test_only_the_owner_imports_and_everyone_who_reads_costs_looks_up(desk: Desk) -> None:
    key = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS)))
    with pytest.raises(Forbidden):
        exchange.import_rates(key, [rate("USD", DAYS[0], "9")])
    assert exchange.effective(key, "EUR", "USD", DAYS[0]).day == DAYS[0]
    assert exchange.list_rates(key, RateQuery(quote="USD"))[1] >= 6
    with pytest.raises(Forbidden):
        exchange.list_rates(replace(key, principal=Principal(desk.org, "k", frozenset())), RateQuery())


def test_a_range_without_usage_has_no_sums_and_no_rates(application: Application) -> None:
    empty = Desk(application)
    report = ask(empty, "day")
    assert (report.rows, report.totals, report.original_totals) == ((), (), ())
    assert report.converted is not None
    assert (report.converted.currency, list(report.converted.used)) == ("EUR", [])


def test_all_time_is_asked_for_at_the_cost_of_the_days_that_have_usage(desk: Desk) -> None:
    ever = TimeRange(datetime(1970, 1, 2, tzinfo=UTC), NOW + timedelta(days=36_500))
    assert total(ask(desk, span=ever)) == total(ask(desk))
    assert "records" not in ask(desk, span=ever).sources
