"""Money is exact."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.money import (
    E10,
    decimal_from_e10,
    e10_from_decimal,
    format_decimal,
    format_e10,
    is_currency,
    parse_decimal,
    price_ratio,
    round_half_even,
)

amounts = st.integers(min_value=-(10**18), max_value=10**18)
prices = st.decimals(min_value=0, max_value=10**6, allow_nan=False, allow_infinity=False, places=12)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_half_to_even_as_the_decimal_module_does_it(numerator: int, denominator: int) -> None:
    doubled = round_half_even(numerator * 2, denominator * 2)
    exact = (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert round_half_even(numerator, denominator) == doubled == int(exact)


@given(amounts)
def test_an_amount_survives_text_and_decimal(amount: int) -> None:
    text = format_e10(amount)
    assert "E" not in text
    assert e10_from_decimal(Decimal(text)) == amount == e10_from_decimal(decimal_from_e10(amount))


@given(prices, st.integers(0, 10**9))
def test_a_price_ratio_gives_the_exact_amount_rounded_once(price: Decimal, quantity: int) -> None:
    numerator, denominator = price_ratio(price, 1_000_000)
    exact = (price * quantity * E10 / 1_000_000).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert round_half_even(quantity * numerator, denominator) == int(exact)


def test_a_million_rows_of_a_tiny_amount_sum_exactly() -> None:
    assert format_e10(e10_from_decimal(Decimal("0.0000139578")) * 1_000_000) == "13.9578"


@pytest.mark.parametrize("value", [0.1, True, None, "NaN", "Infinity", "1e999", "abc", "1" * 41, [], "１２x"])
def test_what_is_no_exact_decimal_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"not|digits"):
        parse_decimal(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shown"), [("1E-10", "0.0000000001"), ("10.50", "10.5"), ("-0", "0"), ("1E+3", "1000"), ("0.000", "0")]
)
def test_decimals_are_shown_in_plain_notation(text: str, shown: str) -> None:
    assert format_decimal(Decimal(text)) == shown


def test_a_currency_is_three_capital_letters() -> None:
    assert is_currency("USD")
    assert not any(map(is_currency, ["usd", "US", "USDX", "U1D", "", "USD\n"]))
