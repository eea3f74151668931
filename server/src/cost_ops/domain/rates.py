"""Rates: meter × conditions → an exact amount per unit, and their JSON form.

    {"meter": "input", "price": "6.00", "per": 1000000, "when": {"context_tokens": {"gt": 200000}}}

Beside `price` and `per` a rate may have `included` (a quantity that costs nothing), `minimum_quantity` (what a call
that uses the meter pays for at least) and, instead of a price, `fraction` and `of`: a tenth of the input rate is
`{"meter": "input_cache_read", "fraction": "0.1", "of": "input"}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cost_ops.domain.conditions import ALWAYS, Conditions, parse_conditions
from cost_ops.domain.errors import Problem
from cost_ops.domain.meters import METERS, MILLION, RATE_METERS
from cost_ops.domain.money import format_decimal, parse_decimal

_FIELDS = frozenset({"meter", "price", "per", "when", "included", "minimum_quantity", "fraction", "of"})
MAX_RATES = 200
MAX_PRICE = Decimal(10) ** 12
MAX_PER = 10**12


@dataclass(frozen=True, slots=True)
class Rate:
    """`price` currency units for every `per` units of `meter`, where `when` holds.

    `of` names the meter whose rate `fraction` is taken of; then `price` is not used.
    """

    meter: str
    price: Decimal
    per: int
    when: Conditions = ALWAYS
    included: int = 0
    fraction: Decimal | None = None
    of: str | None = None
    minimum_quantity: int = 0

    @property
    def price_per_million(self) -> Decimal:
        """The price of a million units, exact."""
        return self.price * MILLION / self.per

    def to_json(self) -> dict[str, Any]:
        """The HTTP form; prices as decimal text."""
        out: dict[str, Any] = {"meter": self.meter}
        if self.of is not None and self.fraction is not None:
            out |= {"fraction": format_decimal(self.fraction), "of": self.of}
        else:
            out |= {"price": format_decimal(self.price), "per": self.per}
        if self.included:
            out["included"] = self.included
        if self.minimum_quantity:
            out["minimum_quantity"] = self.minimum_quantity
        if self.when != ALWAYS:
            out["when"] = self.when.to_json()
        return out


def per_million(meter: str, price: Decimal, when: Conditions = ALWAYS) -> Rate:
    """A rate quoted per million units."""
    return Rate(meter, price, MILLION, when)


def rates_from_json(
    items: Any, field: str = "rates", *, settled: bool = False
) -> tuple[tuple[Rate, ...], list[Problem]]:
    """Rates from their JSON form, and every fault found, ties included (`settled`: they were looked for before)."""
    problems: list[Problem] = []
    if not isinstance(items, Sequence) or isinstance(items, str) or not items:
        return (), [Problem(field, "invalid_type", f"{field} must be a list of at least one rate")]
    if len(items) > MAX_RATES:
        return (), [Problem(field, "too_many", f"{field} holds {len(items)} rates; the limit is {MAX_RATES}")]
    rates = [_rate_from_json(item, f"{field}[{i}]", problems) for i, item in enumerate(items)]
    found = tuple(rate for rate in rates if rate is not None)
    if not problems and not settled:
        problems.extend(rate_faults(found, field))
    return found, problems


def _rate_from_json(item: Any, field: str, problems: list[Problem]) -> Rate | None:
    if not isinstance(item, Mapping):
        problems.append(Problem(field, "invalid_type", f"{field} must be an object"))
        return None
    before = len(problems)
    problems.extend(
        Problem(f"{field}.{key}", "unknown_field", f"{field}.{key} is not part of a rate")
        for key in item
        if key not in _FIELDS
    )
    meter = item.get("meter")
    if meter not in RATE_METERS:
        problems.append(
            Problem(f"{field}.meter", "unknown_meter", f"{field}.meter must be one of {', '.join(sorted(RATE_METERS))}")
        )
        return None
    when = parse_conditions(item.get("when"), f"{field}.when", problems)
    per = _whole(item.get("per", METERS[meter].per if meter in METERS else MILLION), f"{field}.per", 1, problems)
    included = _whole(item.get("included", 0), f"{field}.included", 0, problems)
    minimum = _whole(item.get("minimum_quantity", 0), f"{field}.minimum_quantity", 0, problems)
    price = fraction = None
    if "fraction" in item or "of" in item:
        fraction = parse_price(item.get("fraction"), f"{field}.fraction", problems)
        if item.get("of") not in METERS or item.get("of") == meter or "price" in item:
            problems.append(
                Problem(f"{field}.of", "unknown_meter", f"{field}.of must name another meter, and price be left out")
            )
    else:
        price = parse_price(item.get("price"), f"{field}.price", problems)
    if len(problems) > before:
        return None
    return Rate(meter, price or Decimal(0), per, when, included, fraction, item.get("of"), minimum)


def _whole(value: Any, field: str, least: int, problems: list[Problem]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_PER:
        problems.append(Problem(field, "invalid_value", f"{field} must be a whole number of at least {least}"))
        return max(least, 1)
    return value


def parse_price(value: Any, field: str, problems: list[Problem]) -> Decimal | None:
    """A price that is not negative and not absurd; None with a problem appended otherwise."""
    if value is None:
        problems.append(Problem(field, "missing_required_field", f"{field} is required"))
        return None
    try:
        price = parse_decimal(value)
    except ValueError as error:
        problems.append(Problem(field, "invalid_type", f"{field} must be a decimal number: {error}"))
        return None
    if price < 0:
        problems.append(Problem(field, "negative", f"{field} must not be negative, got {format_decimal(price)}"))
        return None
    if price > MAX_PRICE:
        problems.append(Problem(field, "too_large", f"{field} must be at most {MAX_PRICE:f}"))
        return None
    return price


def rate_faults(rates: Sequence[Rate], field: str = "rates") -> Iterable[Problem]:
    """Ties: two rates of one meter that could apply to the same call, neither more specific, nothing settling it."""
    for index, rate in enumerate(rates):
        for other_index in range(index):
            other = rates[other_index]
            if rate.meter == other.meter and _tied(rate, other, rates):
                yield Problem(
                    f"{field}[{index}]",
                    "tie",
                    f"{field}[{index}] and {field}[{other_index}] both price {rate.meter} for the same calls; "
                    "add a condition to one of them, or a rate that states both conditions",
                )
    for index, rate in enumerate(rates):
        if rate.of is not None and not any(r.meter == rate.of and r.of is None for r in rates):
            yield Problem(
                f"{field}[{index}].of", "missing_rate", f"{field}[{index}].of = {rate.of} has no rate of its own"
            )


def _tied(rate: Rate, other: Rate, rates: Sequence[Rate]) -> bool:
    if rate.when.specificity != other.when.specificity or not rate.when.compatible(other.when):
        return False
    if rate.when == other.when:
        return True
    both = rate.when.merged(other.when)
    return not any(
        third.meter == rate.meter
        and third.when.specificity > rate.when.specificity
        and third.when.merged(both) == both
        and third.when.compatible(both)
        for third in rates
    )
