"""Prices are dated, never edited, and found in a fixed order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cost_ops.domain.errors import Conflict, InvalidInput
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import Alias, PriceBook, ProviderNames
from cost_ops.domain.prices import Layer, Price, insert, parse_price_id
from tests.domain.builders import NOW, plain

JUNE = datetime(2025, 6, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def found(
    book: PriceBook, model: str = "m", at: datetime = NOW, provider: str = "openai", org: str = "org-1"
) -> int | None:
    compiled = book.find(org, provider, model, to_us(at))
    return None if compiled is None else compiled.number


def test_a_first_price_covers_the_past_and_a_later_one_begins_now() -> None:
    first = insert([], plain("1", "1"), now=NOW)
    assert (first.added.effective_from, first.ended) == (None, None)
    second = insert([first.added], plain("2", "2"), now=NOW)
    assert second.added.effective_from == NOW
    assert second.ended is not None
    assert second.ended.effective_to == NOW


def test_a_price_put_between_two_is_bounded_by_the_later() -> None:
    timeline = [plain("1", "1", effective_to=JUNE), plain("2", "2", number=2, effective_from=JUNE)]
    middle = insert(timeline, plain("9", "9", effective_from=JUNE - DAY), now=NOW)
    assert middle.added.effective_to == JUNE
    assert middle.ended == replace(timeline[0], effective_to=JUNE - DAY)


def test_overlaps_and_impossible_ends_are_refused() -> None:
    timeline = [plain("1", "1", effective_to=JUNE), plain("2", "2", number=2, effective_from=JUNE)]
    with pytest.raises(Conflict, match="from 2025-06-10"):
        insert(timeline, plain("9", "9", effective_from=JUNE), now=NOW)
    with pytest.raises(Conflict, match="overlap"):
        insert(timeline, plain("9", "9", effective_from=JUNE - DAY, effective_to=JUNE + DAY), now=NOW)
    with pytest.raises(InvalidInput, match="end_date"):
        insert([], plain("9", "9", effective_from=JUNE, effective_to=JUNE), now=NOW)


def test_layers_are_asked_in_order_and_each_only_while_valid() -> None:
    own = plain("1", "1", number=1, layer=Layer.ORGANIZATION, organization_id="org-1", effective_from=JUNE)
    installation = plain("2", "2", number=2, effective_from=JUNE - 10 * DAY)
    catalog = plain("3", "3", number=3, layer=Layer.CATALOG)
    book = PriceBook([catalog, installation, own])
    assert [found(book, at=JUNE + d * DAY) for d in (1, -1, -11)] == [1, 2, 3]
    assert found(book, at=JUNE + DAY, org="org-2") == 2


def test_exact_id_then_alias_then_longest_pattern() -> None:
    def catalog(model: str, number: int) -> Price:
        return plain("1", "1", model=model, number=number, layer=Layer.CATALOG)

    book = PriceBook(
        [catalog("gpt-4", 1), catalog("gpt-4*", 2), catalog("gpt-*", 3)],
        aliases=[
            Alias("openai", "equals", "gpt-4-0613", "gpt-4"),
            Alias("openai", "starts_with", "gpt-4-32k", "gpt-4"),
        ],
    )
    names = ["gpt-4", "GPT-4", "gpt-4-0613", "gpt-4-32k-0314", "gpt-4-turbo", "gpt-5", "o1"]
    assert [found(book, n) for n in names] == [1, 1, 1, 1, 2, 3, None]


def test_a_provider_falls_back_as_declared_after_its_own() -> None:
    names = ProviderNames({"azure-openai": "azure"}, {"azure": ("openai",)})
    book = PriceBook([plain("1", "1", number=1), plain("2", "2", number=2, model="own", provider="azure")], names=names)
    assert [found(book, m, provider=names.canonical("Azure-OpenAI")) for m in ("m", "own")] == [1, 2]
    assert found(book, "own") is None


def test_a_wildcard_price_is_a_default() -> None:
    book = PriceBook([plain("1", "1", model="*", provider="*")])
    compiled = book.find("org-1", "anyone", "anything", to_us(NOW))
    assert compiled is not None
    assert compiled.is_default


def test_the_price_of_a_record_says_how_it_was_found() -> None:
    book = PriceBook([plain("1", "1", model="gpt-*")])
    segment = book.explain("org-1", "openai", "gpt-9", to_us(NOW))
    assert segment is not None
    assert segment.found_by == "pattern 'gpt-*'"


def test_price_ids_are_read_back_or_refused() -> None:
    assert parse_price_id("price-12") == 12
    assert [parse_price_id(t) for t in ("price-", "12", "price-x", "price-１", "price-9999999999999")] == [None] * 5
