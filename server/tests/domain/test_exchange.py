"""Exchange rates: which one holds, what sums become, and that nothing is made up."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.conversion import convert, parts_of
from cost_ops.domain.costs import SummedRow
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.exchange import ExchangeRate, RateTable, ratio_text, shared
from cost_ops.domain.exchange_files import parse_day, rates_from_fields, read_rates
from cost_ops.domain.money import round_half_even
from cost_ops.domain.periods import TimeRange, to_us
from cost_ops.domain.rollups import Measures

FRIDAY = date(2026, 3, 13)
EUR_USD = ExchangeRate("EUR", "USD", FRIDAY, Decimal("1.25"), "ECB")
EUR_JPY = ExchangeRate("EUR", "JPY", FRIDAY, Decimal("160"), "ECB")
TABLE = RateTable([EUR_USD, EUR_JPY])
WIDE = """Date,USD,JPY,ISK,
2026-03-13,1.25,160,N/A,
2026-03-12,1.2431,159.87,,
"""


def after(days: int) -> date:
    return FRIDAY + timedelta(days=days)


def ratio(currency: str, into: str, day: date = FRIDAY, table: RateTable = TABLE) -> Fraction | None:
    found = table.find(currency, into, day)
    return None if found is None else found.ratio


def test_a_rate_is_read_both_ways_and_crossed_over_a_common_currency() -> None:
    assert ratio("EUR", "USD") == Fraction(5, 4)
    assert ratio("USD", "EUR") == Fraction(4, 5)
    assert ratio("USD", "USD") == 1
    cross = TABLE.find("USD", "JPY", FRIDAY)
    assert cross is not None
    assert (cross.ratio, cross.via, cross.source) == (Fraction(128), "EUR", "ECB")


def test_a_weekend_takes_friday_s_rate_and_a_week_is_the_most() -> None:
    for days in range(8):
        found = TABLE.find("USD", "EUR", after(days))
        assert found is not None
        assert found.day == FRIDAY
    assert TABLE.find("USD", "EUR", after(8)) is None
    assert TABLE.find("USD", "EUR", after(-1)) is None, "a later rate is no rate"


def test_a_rate_that_is_not_there_is_never_one() -> None:
    assert ratio("GBP", "EUR") is None
    assert ratio("EUR", "GBP") is None


def test_a_stated_rate_comes_before_its_inverse_and_before_a_cross() -> None:
    stated = ExchangeRate("USD", "EUR", FRIDAY, Decimal("0.81"), "bank")
    for rates in ([EUR_USD, stated], [stated, EUR_USD]):
        assert ratio("USD", "EUR", table=RateTable(rates)) == Fraction(81, 100)
        assert ratio("EUR", "USD", table=RateTable(rates)) == Fraction(5, 4)
    direct = ExchangeRate("USD", "JPY", FRIDAY, Decimal("130"), "bank")
    assert ratio("USD", "JPY", table=RateTable([EUR_USD, EUR_JPY, direct])) == 130


def test_both_legs_of_a_cross_are_of_one_day() -> None:
    older = [
        ExchangeRate("EUR", code, after(-1), rate, "ECB") for code, rate in (("USD", Decimal(2)), ("JPY", Decimal(4)))
    ]
    table = RateTable([*older, EUR_USD])
    found = table.find("USD", "JPY", FRIDAY)
    assert found is not None
    assert (found.day, found.ratio) == (after(-1), Fraction(2))


rates = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=10**6)
amounts = st.lists(st.integers(0, 10**14), min_size=1, max_size=30)


@given(amounts, rates)
def test_shares_add_up_to_the_converted_sum_and_each_is_within_one(found: list[int], rate: Fraction) -> None:
    parts = shared(found, rate)
    assert sum(parts) == round_half_even(sum(found) * rate.numerator, rate.denominator)
    assert all(abs(part - amount * rate) < 1 for part, amount in zip(parts, found, strict=True))


@given(st.integers(0, 10**15), rates)
def test_there_and_back_is_within_rounding(amount: int, rate: Fraction) -> None:
    (there,) = shared([amount], rate)
    (back,) = shared([there], 1 / rate)
    assert abs(back - amount) <= Fraction(1, 2) / rate + Fraction(1, 2)


def summed(slot: int, currency: str, cost: int, value: str | None = "a", status: str = "computed") -> SummedRow:
    return SummedRow(slot, (value,), currency, status, Measures(1, 10, 5, 0, cost))


def span(start: datetime, **length: int) -> TimeRange:
    return TimeRange(start, start + timedelta(**length))


MIDNIGHT = datetime(2026, 3, 13, tzinfo=UTC)
FOREVER = to_us(datetime(2100, 1, 1, tzinfo=UTC))


def test_slots_are_cut_at_utc_midnights() -> None:
    slots = [span(MIDNIGHT - timedelta(hours=6), hours=30), span(MIDNIGHT + timedelta(hours=24), hours=1)]
    parts = parts_of(slots, 0, FOREVER)
    assert [(p.slot, p.day) for p in parts] == [(0, after(-1)), (0, FRIDAY), (1, after(1))]
    assert parts[0].end_us == parts[1].start_us
    noon = to_us(MIDNIGHT + timedelta(hours=12))
    assert [(p.slot, p.day) for p in parts_of(slots, noon, noon)] == [(0, FRIDAY)], "days without usage are left out"
    assert parts_of(slots, 0, 0) == []


def test_each_day_is_converted_by_its_own_rate() -> None:
    table = RateTable([EUR_USD, ExchangeRate("EUR", "USD", after(1), Decimal(2), "ECB")])
    rows = [summed(0, "USD", 100), summed(1, "USD", 100), summed(1, "EUR", 7)]
    found, about = convert(rows, parts_of([span(MIDNIGHT, days=2)], 0, FOREVER), table, "EUR")
    assert sum(row.measures.cost_e10 for row in found) == 80 + 50 + 7
    assert {row.currency for row in found} == {"EUR"}
    assert [(u.currency, u.conversion.day, u.days) for u in about.used] == [("USD", FRIDAY, 1), ("USD", after(1), 1)]
    assert about.missing == []


def test_what_has_no_rate_stays_in_its_own_currency_and_is_named() -> None:
    parts = parts_of([span(MIDNIGHT - timedelta(days=2), days=4)], 0, FOREVER)
    rows = [summed(i, "USD", 100) for i in range(4)] + [summed(0, "XYZ", 5), summed(0, "", 0, status="unpriced")]
    found, about = convert(rows, parts, TABLE, "EUR")
    by_currency: dict[str, int] = {}
    for row in found:
        by_currency[row.currency] = by_currency.get(row.currency, 0) + row.measures.cost_e10
    assert by_currency == {"EUR": 160, "USD": 200, "XYZ": 5, "": 0}
    assert [(m.currency, m.first, m.last, m.days) for m in about.missing] == [
        ("USD", after(-2), after(-1), 2),
        ("XYZ", after(-2), after(-2), 1),
    ]


cells = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["USD", "JPY", "EUR"]),
        st.integers(0, 10**12),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["computed", "estimated"]),
    ),
    min_size=1,
    max_size=25,
)


@given(cells, st.randoms())
def test_the_total_is_the_same_however_rows_are_grouped_split_and_ordered(found: list[Any], chance: Any) -> None:
    parts = parts_of([span(MIDNIGHT, days=3)], 0, FOREVER)
    rows = [summed(slot, currency, cost, value, status) for slot, currency, cost, value, status in found]
    grouped, about = convert(rows, parts, TABLE, "USD")
    shuffled = list(rows)
    chance.shuffle(shuffled)
    again, _ = convert(shuffled, parts, TABLE, "USD")
    assert [(r.values, r.status, r.measures.astuple()) for r in grouped] == [
        (r.values, r.status, r.measures.astuple()) for r in again
    ]
    whole, _ = convert([row._replace(values=(), status="computed") for row in rows], parts, TABLE, "USD")
    assert sum(r.measures.cost_e10 for r in grouped) == sum(r.measures.cost_e10 for r in whole)
    assert sum(r.measures.requests for r in grouped) == len(rows)
    assert about.missing == []


def test_the_ecb_s_file_is_read_and_what_it_does_not_state_is_left_out() -> None:
    found = read_rates(WIDE.splitlines(), "ECB")
    assert EUR_USD in found
    assert [(r.quote, str(r.day), str(r.rate)) for r in found] == [
        ("USD", "2026-03-13", "1.25"),
        ("JPY", "2026-03-13", "160"),
        ("USD", "2026-03-12", "1.2431"),
        ("JPY", "2026-03-12", "159.87"),
    ]
    daily = read_rates(["Date, USD, JPY, ", "13 March 2026, 1.25, 160, "], "ECB")
    assert daily == [EUR_USD, EUR_JPY]
    assert read_rates(["\ufeffdate,GBP", "2026-03-13,0.8"], "own", base="USD")[0].base == "USD"


def test_one_rate_a_line_is_read_too() -> None:
    found = read_rates(["quote,rate,base,date,note", "USD,1.25,EUR,2026-03-13,x", ""], "ECB")
    assert found == [EUR_USD]
    assert (
        rates_from_fields([{"date": "2026-03-13", "base": "EUR", "quote": "USD", "rate": Decimal("1.25")}], "ECB")
        == found
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a,b"], [("file", "unknown_form")]),
        ([], [("file", "unknown_form")]),
        (["Date,USD,usd", "2026-03-13,1,1"], [("file", "unknown_currency"), ("quote", "unknown_currency")]),
        (["Date,USD", "2026-02-30,1"], [("date", "invalid_value")]),
        (["Date,USD", "13.3.2026,1"], [("date", "invalid_value")]),
        (["Date,USD", "2026-03-13,0"], [("rate", "invalid_value")]),
        (["Date,USD", "2026-03-13,-1"], [("rate", "invalid_value")]),
        (["Date,USD", "2026-03-13,NaN"], [("rate", "invalid_value")]),
        (["Date,EUR", "2026-03-13,1"], [("quote", "invalid_value")]),
        (["date,base,quote,rate", "2026-03-13,EUR"], [("quote", "unknown_currency"), ("rate", "invalid_value")]),
        (["Date,USD", "2026-03-13,1", "2026-03-13,2"], [("rate", "contradiction")]),
    ],
)
def test_what_is_wrong_with_a_file_is_named(lines: list[str], expected: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rates(lines, "x")
    assert [(p.field, p.reason) for p in caught.value.problems] == expected


@pytest.mark.parametrize("items", [[], "x", [1], [{"date": "2026-03-13"}]])
def test_fields_that_are_no_rates_are_refused(items: Any) -> None:
    with pytest.raises(InvalidInput):
        rates_from_fields(items, "x")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for head in ("", "Date,USD\n", "date,base,quote,rate\n"):
        with suppress(InvalidInput):
            assert all(rate.rate > 0 for rate in read_rates((head + text).splitlines(), "x"))


def test_days_and_ratios_in_words() -> None:
    assert parse_day("13 March 2026") == parse_day(" 2026-03-13 ") == FRIDAY
    assert [parse_day(t) for t in ("31 Smarch 2026", "1969-01-01", "2026-13-01", "")] == [None] * 4
    assert ratio_text(Fraction(4, 5)) == "0.8"
    assert ratio_text(Fraction(1, 3)) == "0.333333333333333"
    assert ratio_text(Fraction(128)) == "128"
