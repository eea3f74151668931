"""Contracts: which of them count, what becomes of a price, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.charging import charge
from cost_ops.domain.contracts import Contract, Kind, check_tie, contract_faults, contract_terms, parse_contract_id
from cost_ops.domain.errors import Conflict, InvalidInput
from cost_ops.domain.money import e10_from_fraction, format_e10
from cost_ops.domain.multipliers import GROUPS
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from tests.domain.builders import NOW, price, submission

LIST = price({"meter": "input", "price": "3"}, {"meter": "output", "price": "15"}, number=12, model="gpt-4o")
MILLION = {"input": 1_000_000, "output": 1_000_000}


def discount(percent: str, number: int = 7, **more: Any) -> Contract:
    return Contract("org-1", Kind.DISCOUNT, Decimal(percent), number=number, **more)


def margin(percent: str, number: int = 9, **more: Any) -> Contract:
    return Contract("org-1", Kind.MARGIN, Decimal(percent), number=number, **more)


def paid(*contracts: Contract, one: Price = LIST, at: datetime = NOW, **about: Any) -> tuple[str, Price]:
    """The cost of a million tokens each way, and the price that it points at."""
    usage = submission(about.pop("quantities", MILLION), at=at, model_id="gpt-4o", **about)
    book = PriceBook([one], contracts=contracts)
    found = book.find("org-1", usage.provider, "gpt-4o", usage.timestamp_us)
    assert found is not None
    return format_e10(charge(found, usage).amount_e10 or 0), found.price


def test_a_discount_makes_a_price_of_its_own_that_names_contract_and_base() -> None:
    cost, found = paid(discount("10", note="enterprise agreement"))
    assert cost == "16.2"
    assert (found.layer, found.organization_id, found.number) == (Layer.CONTRACT, "org-1", None)
    assert (found.source, found.base_number) == ("contract-7: 10 % off price-12", 12)
    assert [m.note for m in found.multipliers] == ["contract-7: 10 % off (enterprise agreement)"]
    assert found.rates == LIST.rates


def test_without_a_contract_the_price_is_the_listed_one() -> None:
    assert paid() == ("18", LIST)
    assert paid(replace(discount("10"), organization_id="org-2")) == ("18", LIST)
    assert paid(discount("10", provider="anthropic")) == ("18", LIST)
    assert paid(discount("10", model_id="gpt-4")) == ("18", LIST)


def test_a_discount_and_a_margin_multiply() -> None:
    cost, found = paid(discount("10"), margin("5"))
    assert cost == "17.01"
    assert found.source == "contract-7: 10 % off, contract-9: 5 % on top of price-12"


def test_of_several_discounts_the_most_specific_holds() -> None:
    everything, provider = discount("5", 1), discount("10", 2, provider="openai")
    family, exact = discount("20", 3, model_id="gpt-4*"), discount("30", 4, model_id="gpt-4o")
    assert paid(everything)[0] == "17.1"
    assert paid(everything, provider)[0] == "16.2"
    assert paid(family, everything, provider)[0] == "14.4"
    assert paid(exact, family, everything, provider)[0] == "12.6"
    assert paid(exact, family)[1].source == "contract-4: 30 % off price-12"


def test_a_contract_for_some_meters_leaves_the_others_to_the_next() -> None:
    cost, found = paid(discount("10", 1), discount("50", 2, meters=frozenset({"output"})))
    assert cost == format_e10(27 * 10**9 + 75 * 10**9)
    assert found.source == "contract-2: 50 % off, contract-1: 10 % off price-12"


def test_tokens_only_means_that_fees_of_tools_cost_what_they_did() -> None:
    one = price({"meter": "input", "price": "3"}, {"meter": "web_searches", "price": "10"}, number=1, model="gpt-4o")
    used = {"input": 1_000_000, "web_searches": 100}
    assert paid(discount("10", meters=GROUPS["tokens"]), one=one, quantities=used)[0] == "3.7"
    assert paid(discount("10"), one=one, quantities=used)[0] == "3.6"


def test_a_contract_is_meant_by_the_model_s_name_as_called_and_as_priced() -> None:
    dated = replace(LIST, model_id="gpt-4o*")
    assert paid(discount("10", model_id="gpt-4o"), one=dated)[0] == "16.2"
    assert paid(discount("10", model_id="gpt-4o*"), one=dated)[0] == "16.2"


@pytest.mark.parametrize("layer", [Layer.ORGANIZATION])
def test_a_negotiated_price_takes_no_discount_but_a_margin(layer: Layer) -> None:
    own = replace(LIST, layer=layer, organization_id="org-1")
    assert paid(discount("10"), one=own) == ("18", own)
    assert paid(discount("10"), margin("5"), one=own)[0] == "18.9"


def test_a_contract_holds_from_its_start_to_its_end() -> None:
    start, end = NOW, NOW + timedelta(days=31)
    contract = discount("10", effective_from=start, effective_to=end)
    instants = (start - timedelta(microseconds=1), start, end - timedelta(microseconds=1), end)
    assert [paid(contract, at=at)[0] for at in instants] == ["18", "16.2", "16.2", "18"]
    after = discount("20", 8, effective_from=end)
    assert paid(contract, after, at=end)[0] == "14.4"


def test_a_contract_and_a_new_price_may_begin_at_any_time() -> None:
    change = NOW + timedelta(days=10)
    old = replace(LIST, effective_to=change)
    new = replace(LIST, number=13, rates=price({"meter": "input", "price": "2"}).rates, effective_from=change)
    book = PriceBook([old, new], contracts=[discount("10", effective_from=NOW, effective_to=NOW + timedelta(days=20))])
    found = [
        segment and (segment.price.price.base_number or segment.price.number)
        for days in (-1, 0, 9, 10, 19, 20)
        for segment in [book.explain("org-1", "openai", "gpt-4o", to_us(NOW + timedelta(days=days)))]
    ]
    assert found == [12, 12, 12, 13, 13, 13]
    layers = [book.find("org-1", "openai", "gpt-4o", to_us(NOW + timedelta(days=d))) for d in (-1, 0, 19, 20)]
    assert [p and p.price.layer for p in layers] == ["installation", "contract", "contract", "installation"]


def test_a_stored_price_under_a_contract_is_found_again_by_what_it_is_made_of() -> None:
    contract = discount("10", effective_from=NOW)
    made = paid(contract)[1]
    stored = replace(made, number=99)
    book = PriceBook([LIST, stored], contracts=[contract])
    for at in (NOW, NOW + timedelta(days=900)):
        found = book.find("org-1", "openai", "gpt-4o", to_us(at))
        assert found is not None
        assert found.number == 99
    assert book.find("org-2", "openai", "gpt-4o", to_us(NOW)) == PriceBook([LIST]).find(
        "org-2", "openai", "gpt-4o", to_us(NOW)
    )
    assert book.by_number[99] is stored


percents = st.decimals("0.01", "99", places=2).map(lambda d: format(d, "f"))
quantities = st.dictionaries(
    st.sampled_from(["input", "output", "output_reasoning"]), st.integers(1, 10**8), min_size=1
)


@given(percents, percents, quantities)
def test_discount_and_margin_are_the_product_of_their_factors_to_the_last_digit(off: str, on: str, used: Any) -> None:
    cost = paid(discount(off), margin(on), quantities=used)[0]
    factor = (1 - Fraction(off) / 100) * (1 + Fraction(on) / 100)
    rates = {"input": Fraction(3, 10**6), "output": Fraction(15, 10**6), "output_reasoning": Fraction(15, 10**6)}
    assert cost == format_e10(sum(e10_from_fraction(q * rates[m] * factor) for m, q in used.items()))


@given(
    st.permutations([discount("5", 1), discount("20", 3, model_id="gpt-4*"), margin("5"), margin("7", 10)]), quantities
)
def test_the_order_in_which_contracts_are_given_changes_nothing(contracts: list[Contract], used: Any) -> None:
    assert paid(*contracts, quantities=used) == paid(*sorted(contracts, key=lambda c: c.number or 0), quantities=used)


def test_a_tie_is_refused_when_the_contract_is_added() -> None:
    first = discount("10", effective_from=NOW)
    for tied in (discount("20", 8), discount("20", 8, effective_from=NOW + timedelta(days=9))):
        with pytest.raises(Conflict, match="contract-7"):
            check_tie(tied, [first])
    check_tie(margin("10"), [first])
    check_tie(discount("20", 8, provider="openai"), [first])
    check_tie(discount("20", 8, meters=frozenset({"output"})), [first])
    check_tie(discount("20", 8, effective_to=NOW), [first])
    check_tie(discount("20", 8), [replace(first, effective_to=NOW)])
    with pytest.raises(Conflict):
        check_tie(
            discount("20", 8, meters=frozenset({"output", "input"})),
            [discount("1", meters=frozenset({"output", "seconds"}))],
        )


def test_what_is_impossible_is_named() -> None:
    def faults(contract: Contract) -> list[tuple[str, str]]:
        return [(p.field, p.reason) for p in contract_faults(contract)]

    assert faults(discount("10")) == faults(margin("250")) == faults(discount("100")) == []
    assert faults(discount("100.1")) == faults(margin("0")) == faults(margin("1001")) == [("percent", "out_of_range")]
    assert faults(discount("1.00000000001")) == [("percent", "too_many_digits")]
    backwards = discount("10", effective_from=NOW, effective_to=datetime(2020, 1, 1, tzinfo=UTC))
    assert faults(backwards) == [("end_date", "empty_range")]


def test_ids_are_read_strictly() -> None:
    assert parse_contract_id("contract-12") == 12
    assert [parse_contract_id(t) for t in ("price-1", "contract-", "contract-x", "contract-1234567890", "")] == [
        None
    ] * 5


@given(
    st.dictionaries(
        st.sampled_from(["kind", "percent", "meters"]),
        st.none()
        | st.text(max_size=9)
        | st.integers()
        | st.lists(st.text(max_size=9))
        | st.sampled_from(["discount", "5"]),
    )
)
def test_any_terms_are_read_or_refused_with_reasons(fields: dict[str, Any]) -> None:
    try:
        terms = contract_terms(fields)
    except InvalidInput as error:
        found = {problem.field for problem in error.problems}
    else:
        found = set() if terms.meters else {"nothing"}
    assert found <= {"kind", "percent", "meters"}
