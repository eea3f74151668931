"""Contracts and exchange rates as they are stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from cost_ops.domain.contracts import Contract, Kind
from cost_ops.domain.errors import NotFound
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.multipliers import GROUPS
from cost_ops.domain.volumes import ContractMonth, Tier
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOW, organize

DAY = date(2026, 3, 13)


def rate(quote: str = "USD", day: date = DAY, value: str = "1.1477", base: str = "EUR") -> ExchangeRate:
    return ExchangeRate(base, quote, day, Decimal(value), "ECB")


def test_a_contract_comes_back_exactly_and_is_its_organization_s(storage: Storage) -> None:
    organize(storage, "acme", "other")
    wanted = Contract(
        "acme", Kind.DISCOUNT, Decimal("12.3456789"), "openai", "gpt-4*", GROUPS["tokens"], NOW, None, "x"
    )
    with storage.ledger("acme") as ledger:
        added = ledger.contracts.add(wanted, NOW)
        assert added == replace(wanted, number=added.number, created_at=NOW)
        other = ledger.contracts.add(replace(wanted, meters=frozenset({"output"}), effective_to=NOW), NOW)
        assert ledger.contracts.list() == [added, other]
        assert added.number is not None
        assert ledger.contracts.get(added.number) == added
    with storage.ledger("other") as ledger:
        assert ledger.contracts.list() == []
        assert ledger.contracts.get(added.number) is None
        with pytest.raises(NotFound):
            ledger.contracts.end(added.number, NOW)
    with storage.installation() as installation:
        assert installation.contracts.list() == [added, other]
        installation.contracts.end(added.number, NOW + timedelta(days=1))
        assert installation.contracts.list()[0].effective_to == NOW + timedelta(days=1)


def test_months_of_a_contract_with_tiers_come_back_exactly_and_are_noted_as_applied_while_the_same(
    storage: Storage,
) -> None:
    organize(storage, "acme")
    tiers = (Tier(0, Decimal(0)), Tier(10**18, Decimal("12.3456789")))
    month = ContractMonth(2026 * 12, 1, 10**18, settled=False, applied=False, updated_at=NOW)
    with storage.ledger("acme") as ledger:
        wanted = Contract("acme", Kind.DISCOUNT, Decimal(0), effective_from=NOW, tiers=tiers)
        number = ledger.contracts.add(wanted, NOW).number or 0
        ledger.contracts.add(replace(wanted, tiers=(), percent=Decimal(1)), NOW)
        ledger.contracts.put_month(number, month._replace(tier=0, volume=0))
        ledger.contracts.put_month(number, month)
        ledger.contracts.put_month(number, month._replace(month=month.month + 1, settled=True))
        ledger.contracts.month_applied(number, month._replace(updated_at=NOW - timedelta(microseconds=1)))
        tiered, plain = ledger.contracts.list()
        assert (plain.tiers, plain.months) == ((), ())
        assert tiered.tiers == tiers
        assert tiered.months == (month, month._replace(month=month.month + 1, settled=True))
        ledger.contracts.month_applied(number, month)
        found = ledger.contracts.get(number)
        assert found is not None
        assert found.months[0] == month._replace(applied=True)


def test_rates_are_kept_as_they_were_stated(storage: Storage) -> None:
    exact = rate(value="0.00012345678901234567890123456789")
    with storage.installation() as installation:
        assert installation.exchange_rates.add([exact, rate("JPY", value="183.20")], NOW, replace=False).added == 2
    with storage.installation() as installation:
        found = installation.exchange_rates.between(DAY, DAY, {"USD", "JPY"})
        assert {r.quote: str(r.rate) for r in found} == {"USD": str(exact.rate), "JPY": "183.2"}
        assert installation.exchange_rates.between(DAY + timedelta(days=1), DAY + timedelta(days=9), {"USD"}) == []
        assert installation.exchange_rates.between(DAY, DAY, {"USD"}) == [exact]
        assert len(installation.exchange_rates.between(DAY, DAY, {"EUR"})) == 2


def test_many_rates_go_in_once_and_differing_ones_stand_or_are_replaced(storage: Storage) -> None:
    many = [rate(q, DAY + timedelta(days=n), f"1.{n + 1}") for n in range(2001) for q in ("USD", "JPY", "GBP")]
    with storage.installation() as installation:
        assert installation.exchange_rates.add([*many, *many[:5]], NOW, replace=False).added == len(many)
        again = installation.exchange_rates.add([*many[:-1], rate("GBP", many[-1].day, "9")], NOW, replace=False)
        assert (again.added, again.unchanged, again.kept) == (0, len(many) - 1, [many[-1]])
        changed = installation.exchange_rates.add([rate("GBP", many[-1].day, "9"), rate("CHF")], NOW, replace=True)
        assert (changed.added, changed.replaced, changed.kept) == (1, 1, [])
        newest, total = installation.exchange_rates.page(
            base="EUR", quote="GBP", first=None, last=None, limit=1, offset=0
        )
        assert (newest[0].rate, total) == (Decimal(9), 2001)
        page, total = installation.exchange_rates.page(base=None, quote=None, first=DAY, last=DAY, limit=2, offset=2)
        assert ([r.quote for r in page], total) == (["JPY", "USD"], 4)
