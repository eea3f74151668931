"""Prices, aliases, API keys: what belongs to whom."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cost_ops.domain.access import ApiKey
from cost_ops.domain.conditions import Conditions, TokenRange
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.multipliers import multipliers_from_json
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.rates import Rate, per_million
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOW, organize

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
RATES = (
    per_million("input", Decimal("0.000000123456789012")),
    per_million("input", Decimal("5"), Conditions(context_tokens=TokenRange(200_000))),
    Rate("input_cache_read", Decimal(0), 1_000_000, fraction=Decimal("0.1"), of="input"),
)


def price(**fields: object) -> Price:
    return replace(Price("openai", "gpt-4", "USD", RATES), **fields)  # type: ignore[arg-type]


def test_a_price_comes_back_exactly(storage: Storage) -> None:
    organize(storage, "acme")
    with storage.ledger("acme") as ledger:
        added = ledger.prices.add(
            price(layer=Layer.ORGANIZATION, effective_from=JANUARY, effective_to=NOW, source="contract"), NOW
        )
    assert added.number is not None
    with storage.ledger("acme") as ledger:
        found = ledger.prices.get(added.number)
    assert found == added
    assert found == price(
        layer=Layer.ORGANIZATION,
        effective_from=JANUARY,
        effective_to=NOW,
        source="contract",
        organization_id="acme",
        number=added.number,
        created_at=NOW,
    )


def test_a_ledger_sees_its_own_and_the_shared_prices(storage: Storage) -> None:
    organize(storage, "acme", "other")
    with storage.installation() as installation:
        installation.prices.add_many([price(layer=Layer.CATALOG), price()], NOW)
    with storage.ledger("acme") as ledger:
        own = ledger.prices.add(price(layer=Layer.ORGANIZATION), NOW)
        assert own.number is not None
        found, total = ledger.prices.page()
        assert (len(found), total) == (3, 3)
        assert ledger.prices.timeline(Layer.ORGANIZATION, "openai", "gpt-4") == [own]
    with storage.ledger("other") as ledger:
        assert ledger.prices.get(own.number) is None
        assert ledger.prices.page()[1] == 2
        assert ledger.prices.timeline(Layer.ORGANIZATION, "openai", "gpt-4") == []
        assert len(ledger.prices.timeline(Layer.CATALOG, "openai", "gpt-4")) == 1
        with pytest.raises(NotFound):
            ledger.prices.end(own.number, NOW)
    with storage.installation() as installation:
        assert installation.prices.page()[1] == 2
        assert [p.organization_id for p in installation.book_prices()] == [None, None, "acme"]


def test_two_prices_of_a_model_cannot_begin_together(storage: Storage) -> None:
    organize(storage, "acme", "other")
    for fields in ({}, {"effective_from": JANUARY}):
        with storage.installation() as installation:
            installation.prices.add(price(**fields), NOW)
        with pytest.raises(Conflict), storage.installation() as installation:
            installation.prices.add(price(**fields), NOW)
        for organization_id in ("acme", "other"):
            with storage.ledger(organization_id) as ledger:
                ledger.prices.add(price(layer=Layer.ORGANIZATION, **fields), NOW)
            with pytest.raises(Conflict), storage.ledger(organization_id) as ledger:
                ledger.prices.add(price(layer=Layer.ORGANIZATION, **fields), NOW)


def test_a_timeline_runs_from_the_beginning_of_time(storage: Storage) -> None:
    with storage.installation() as installation:
        for start in (NOW, JANUARY, None):
            installation.prices.add(price(effective_from=start), NOW)
    with storage.installation() as installation:
        timeline = installation.prices.timeline(Layer.INSTALLATION, "openai", "gpt-4")
        assert [p.effective_from for p in timeline] == [None, JANUARY, NOW]
        assert timeline[0].number is not None
        installation.prices.end(timeline[0].number, JANUARY)
        assert installation.prices.timeline(Layer.INSTALLATION, "openai", "gpt-4")[0].effective_to == JANUARY


def test_prices_are_paged_and_filtered(storage: Storage) -> None:
    with storage.installation() as installation:
        installation.prices.add_many(
            [price(model_id=f"m{n}", effective_from=JANUARY + timedelta(days=n)) for n in range(9)]
            + [price(provider="anthropic", layer=Layer.CATALOG, effective_to=NOW)],
            NOW,
        )
    with storage.installation() as installation:
        page = installation.prices.page
        assert [p.model_id for p in page(limit=3, offset=2)[0]] == ["m1", "m2", "m3"]
        assert page(limit=3, offset=2)[1] == 10
        assert page(provider="anthropic")[1] == page(layer=Layer.CATALOG)[1] == page(model_id="m4")[1] == 1
        assert page(current_at=JANUARY + timedelta(days=2))[1] == 4
        assert page(current_at=NOW)[1] == 9


def test_a_bump_makes_books_stale(storage: Storage) -> None:
    with storage.installation() as installation:
        before = installation.price_version()
        assert installation.prices.bump_version() == before + 1
    with storage.recorder() as recorder:
        assert recorder.price_version() == before + 1


def test_aliases_are_replaced_in_their_order(storage: Storage) -> None:
    first = [Alias("openai", "equals", f"a{n}", "gpt-4") for n in (3, 1, 2)]
    with storage.installation() as installation:
        assert installation.aliases() == []
        installation.replace_aliases(first)
        assert installation.aliases() == first
        installation.replace_aliases(first[1:])
    with storage.installation() as installation:
        assert installation.aliases() == first[1:]
        installation.replace_aliases([])
        assert installation.aliases() == []


def key(key_id: str, organization_id: str | None, **fields: object) -> ApiKey:
    plain = ApiKey(key_id, organization_id, "live", "CI", frozenset({"usage:read"}), b"\x00salt", b"\xffhash", NOW)
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_keys_belong_to_an_organization(storage: Storage) -> None:
    organize(storage, "acme", "other")
    mine, admin = key("k1", "acme", expires_at=NOW), key("k2", None, kind="admin", created_at=JANUARY)
    with storage.installation() as installation:
        installation.api_keys.add(mine)
        installation.api_keys.add(admin)
        assert installation.api_keys.list() == [mine, admin]
    with storage.ledger("acme") as ledger:
        assert ledger.api_keys.list() == [mine]
        assert ledger.api_keys.get("k1") == mine
        assert ledger.api_keys.get("k2") is None
    with storage.ledger("other") as ledger:
        assert ledger.api_keys.get("k1") is None
        with pytest.raises(NotFound):
            ledger.api_keys.update(mine)
        with pytest.raises(NotFound):
            ledger.api_keys.add(mine)
    with pytest.raises(Conflict), storage.installation() as installation:
        installation.api_keys.add(mine)


def test_a_key_can_be_changed_and_revoked(storage: Storage) -> None:
    changed = key("k1", None, name="new", permissions=frozenset(), expires_at=JANUARY, revoked_at=NOW)
    with storage.installation() as installation:
        installation.api_keys.add(key("k1", None))
        installation.api_keys.update(changed)
    with storage.installation() as installation:
        assert installation.api_keys.get("k1") == changed
        with pytest.raises(NotFound):
            installation.api_keys.update(key("k9", None))


def under_contract(base: Price, source: str) -> Price:
    return replace(
        base, layer=Layer.CONTRACT, organization_id="acme", base_number=base.number, number=None, source=source
    )


def test_a_price_under_a_contract_is_stored_once_by_base_and_contracts(storage: Storage) -> None:
    organize(storage, "acme", "other")
    with storage.installation() as installation:
        bases = [installation.prices.add(price(model_id=model), NOW) for model in ("a", "b")]
        version = installation.price_version()
    wanted = [under_contract(base, source) for base in bases for source in ("contract-1", "contract-2")]
    with storage.ledger("acme") as ledger:
        numbers = [ledger.prices.number_of(one, NOW) for one in wanted]
        assert [ledger.prices.number_of(one, NOW) for one in wanted] == numbers
    with storage.recorder() as recorder:
        assert [recorder.number_of(one, NOW) for one in wanted] == numbers
        assert recorder.number_of(bases[0], NOW) == bases[0].number
    assert len(set(numbers)) == 4
    with storage.installation() as installation:
        assert installation.price_version() == version + 4
        stored = [p for p in installation.book_prices() if p.layer is Layer.CONTRACT]
    assert [(p.base_number, p.source) for p in stored] == [(p.base_number, p.source) for p in wanted]
    with storage.ledger("acme") as ledger:
        assert ledger.prices.page(model_id="a")[1] == 1, "they are listed when they are asked for"
        assert ledger.prices.page(layer=Layer.CONTRACT)[1] == 4
    with storage.ledger("other") as ledger:
        assert ledger.prices.page(layer=Layer.CONTRACT)[1] == 0
        assert ledger.prices.get(numbers[0]) is None


def test_two_that_first_use_the_same_prices_at_once_get_the_same_numbers(storage: Storage) -> None:
    organize(storage, "acme")
    with storage.installation() as installation:
        bases = [installation.prices.add(price(model_id=f"m{n}"), NOW) for n in range(4)]
    wanted = [under_contract(base, "contract-1") for base in bases]
    start = threading.Barrier(2)
    found: list[dict[int | None, int]] = []

    def use(prices: list[Price]) -> None:
        start.wait()
        with storage.recorder() as recorder:
            found.append({one.base_number: recorder.number_of(one, NOW) for one in prices})

    threads = [threading.Thread(target=use, args=(order,)) for order in (wanted, wanted[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]


def test_multipliers_and_least_quantities_come_back_exactly(storage: Storage) -> None:
    organize(storage, "acme")
    multipliers, problems = multipliers_from_json(
        [{"factor": "1.123456789", "when": {"not_region": "global"}, "meters": ["output"], "note": "far away"}]
    )
    assert not problems
    rates = (Rate("seconds", Decimal(1), 3600, minimum_quantity=10),)
    with storage.ledger("acme") as ledger:
        added = ledger.prices.add(price(layer=Layer.ORGANIZATION, rates=rates, multipliers=multipliers), NOW)
        assert added.number is not None
        assert ledger.prices.get(added.number) == added
    assert (added.multipliers, added.rates) == (multipliers, rates)
