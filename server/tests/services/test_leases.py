"""Reserving, settling and releasing: room is what is neither spent nor held, and nobody passes a hard limit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.budgets import Budget
from cost_ops.domain.errors import Conflict, InvalidInput, NotFound
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.lease_requests import LeaseRequest, read_lease_request
from cost_ops.domain.leases import LeaseStatus
from cost_ops.domain.money import E10
from cost_ops.domain.periods import to_us
from cost_ops.domain.submission import Intake
from cost_ops.services import exchange, leases, usage
from cost_ops.services.leases import Granted, Refused
from tests.services.conftest import Desk

_ids = count(1)
MINUTE = timedelta(minutes=1)


def budget(desk: Desk, **fields: Any) -> Budget:
    """A hard monthly budget of 100 USD for everything, unless said otherwise."""
    document = {"amount": 100, "enforcement": "hard", **fields}
    new = read_budget(
        document, organization_id=desk.org, budget_id=f"budget-{next(_ids)}", by="test", now=desk.now, names=same_names
    )
    with desk.application.storage.ledger(desk.org) as ledger:
        return ledger.budgets.add(new)


def request(desk: Desk, **fields: Any) -> LeaseRequest:
    names = desk.application.books.current().names
    intake = Intake(names, to_us(desk.now), organization_id=desk.org, shapes=desk.application.shapes)
    budget_id = fields.pop("budget_id", None)
    fields = fields or {"amount": 1}
    return read_lease_request(fields, intake, default_ttl=10 * MINUTE, budget_id=budget_id)


def reserve(desk: Desk, **fields: Any) -> Any:
    return leases.reserve(desk.ctx, [request(desk, **fields)])[0]


def settle(desk: Desk, lease_id: str, **fields: Any) -> Any:
    """Record usage that settles a lease; by default of 0.025 USD."""
    submission = desk.submission(idempotency_key=lease_id, **fields)
    priced = usage.price(desk.ctx, desk.application.books.current(), submission)
    return usage.record(desk.ctx, [usage.Batch((priced,), lease_id=lease_id)])[0][0]


def available(desk: Desk, one: Budget) -> Any:
    """What a budget has left, as the next reservation sees it."""
    found = leases.look(desk.ctx, request(desk, amount="0.0000000001", **_usage_of(one)))
    level = next(level for level in found.decision.levels if level.status.budget.budget_id == one.budget_id)
    return Decimal(level.status.available_e10).scaleb(-10)


def _usage_of(one: Budget) -> dict[str, Any]:
    fields = {"project": "project_id", "user": "user_id", "model": "model_id", "provider": "provider"}
    return {fields[dimension]: min(values) for dimension, values in one.scope.only}


def test_a_lease_holds_and_settling_turns_it_into_spend(desk: Desk) -> None:
    one = budget(desk)
    desk.price()
    granted = reserve(desk, amount=40)
    assert isinstance(granted, Granted)
    assert available(desk, one) == 60

    settled = settle(desk, granted.lease.lease_id)
    assert settled.cost_e10 == E10 // 40
    assert settled.lease.amount_e10 == 40 * E10
    assert available(desk, one) == Decimal("99.975")
    assert leases.get_lease(desk.ctx, desk.org, granted.lease.lease_id).status is LeaseStatus.SETTLED


def test_what_does_not_fit_is_refused_and_holds_nothing(desk: Desk) -> None:
    one = budget(desk)
    assert isinstance(reserve(desk, amount=70), Granted)
    refused = reserve(desk, amount="30.0000000001")
    assert isinstance(refused, Refused)
    assert refused.decision.refusing[0].status.available_e10 == 30 * E10
    assert available(desk, one) == 30
    assert isinstance(reserve(desk, amount=30), Granted)
    assert available(desk, one) == 0


def test_all_levels_or_none(desk: Desk) -> None:
    whole = budget(desk)
    narrow = budget(desk, amount=5, scope={"project": "search"}, name="search")
    assert isinstance(reserve(desk, amount=6, project_id="search"), Refused)
    assert (available(desk, whole), available(desk, narrow)) == (100, 5)
    granted = reserve(desk, amount=4, project_id="search")
    assert {held.budget_id for held in granted.lease.holds} == {whole.budget_id, narrow.budget_id}
    assert (available(desk, whole), available(desk, narrow)) == (96, 1)


def test_a_soft_budget_warns_and_does_not_refuse(desk: Desk) -> None:
    one = budget(desk, amount=1, enforcement="soft")
    granted = reserve(desk, amount=3)
    assert isinstance(granted, Granted)
    assert [level.status.budget.budget_id for level in granted.decision.warnings] == [one.budget_id]


def test_usage_that_nobody_reserved_takes_room_too(desk: Desk) -> None:
    one = budget(desk, amount="0.06")
    desk.price()
    desk.record(desk.submission(), desk.submission(idempotency_key="k2"))
    assert available(desk, one) == Decimal("0.01")
    assert isinstance(reserve(desk, amount="0.02"), Refused)


def test_releasing_gives_back_and_again_changes_nothing(desk: Desk) -> None:
    one = budget(desk)
    lease_id = reserve(desk, amount=40).lease.lease_id
    assert leases.release(desk.ctx, desk.org, lease_id).status is LeaseStatus.RELEASED
    assert leases.release(desk.ctx, desk.org, lease_id).status is LeaseStatus.RELEASED
    assert available(desk, one) == 100
    refused = settle(desk, lease_id)
    assert isinstance(refused, Conflict)
    assert refused.details["lease_id"] == lease_id


def test_a_lease_that_runs_out_holds_nothing_and_is_settled_all_the_same(desk: Desk) -> None:
    one = budget(desk)
    desk.price()
    lease_id = reserve(desk, amount=40, ttl_seconds=60).lease.lease_id
    desk.now += MINUTE
    assert available(desk, one) == 100
    assert leases.get_lease(desk.ctx, desk.org, lease_id).status is LeaseStatus.EXPIRED
    settled = settle(desk, lease_id)
    assert settled.lease.status is LeaseStatus.EXPIRED
    assert available(desk, one) == Decimal("99.975")


def test_expired_leases_are_noted_once(desk: Desk) -> None:
    budget(desk)
    lease_id = reserve(desk, amount=40, ttl_seconds=60).lease.lease_id
    desk.now += MINUTE
    with desk.application.storage.installation() as installation:
        assert installation.leases.expire(desk.now, 1000) >= 1
    with desk.application.storage.installation() as installation:
        assert installation.leases.expire(desk.now, 1000) == 0
    with desk.application.storage.ledger(desk.org) as ledger:
        found = ledger.budgets.lease(lease_id)
    assert found is not None
    assert found.status is LeaseStatus.EXPIRED


def test_settling_twice_is_a_replay_and_with_other_usage_a_conflict(desk: Desk) -> None:
    one = budget(desk)
    desk.price()
    lease_id = reserve(desk, amount=1).lease.lease_id
    first, again = settle(desk, lease_id), settle(desk, lease_id)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.usage_id == again.usage_id
    assert isinstance(settle(desk, lease_id, input_tokens=1), Conflict)
    assert available(desk, one) == Decimal("99.975")


def test_settling_what_was_told_by_another_source_lets_go_of_the_lease(desk: Desk) -> None:
    one = budget(desk)
    desk.price()
    desk.record(desk.submission(response_id="chatcmpl-0123456789abcdef"))
    lease_id = reserve(desk, amount=1).lease.lease_id
    assert settle(desk, lease_id, response_id="chatcmpl-0123456789abcdef").replayed
    assert available(desk, one) == Decimal("99.975")


def test_a_settlement_without_a_lease_or_of_anothers_is_not_found(desk: Desk) -> None:
    other = Desk(desk.application)
    budget(other)
    theirs = reserve(other, amount=1).lease.lease_id
    for lease_id in ("lease_nothing", theirs):
        assert isinstance(settle(desk, lease_id), NotFound)
    with pytest.raises(NotFound):
        leases.get_lease(desk.ctx, desk.org, theirs)


def test_more_than_was_held_is_recorded_whole(desk: Desk) -> None:
    one = budget(desk)
    desk.price()
    lease_id = reserve(desk, amount="0.01").lease.lease_id
    assert settle(desk, lease_id).cost_e10 == E10 // 40
    assert available(desk, one) == Decimal("99.975")


def test_the_same_key_leads_to_the_same_lease(desk: Desk) -> None:
    one = budget(desk)
    first = reserve(desk, amount=7, idempotency_key="call-1")
    again = reserve(desk, amount=7, idempotency_key="call-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.lease.lease_id == again.lease.lease_id
    assert isinstance(reserve(desk, amount=8, idempotency_key="call-1"), Conflict)
    assert available(desk, one) == 93


def test_the_same_key_twice_in_one_transaction_is_one_lease(desk: Desk) -> None:
    budget(desk)
    both = leases.reserve(desk.ctx, [request(desk, amount=7, idempotency_key="k")] * 2)
    assert [one.replayed for one in both if isinstance(one, Granted)] == [False, True]


def test_tokens_are_priced_by_the_book(desk: Desk) -> None:
    budget(desk)
    desk.price()
    granted = reserve(desk, provider="openai", model_id="m", input_tokens=1000, max_output_tokens=500)
    assert (granted.lease.amount_e10, granted.lease.currency) == (E10 // 40, "USD")
    unknown = reserve(desk, provider="openai", model_id="nobody-knows", input_tokens=1, max_output_tokens=1)
    assert isinstance(unknown, NotFound)


def test_amounts_are_held_in_the_budgets_currency(desk: Desk) -> None:
    one = budget(desk, currency="EUR")
    assert isinstance(reserve(desk, amount=1), Refused)  # nobody knows what a dollar is in euros
    exchange.import_rates(desk.ctx, [ExchangeRate("EUR", "USD", desk.now.date(), Decimal("1.25"), "test")])
    granted = reserve(desk, amount=5)
    assert [(held.amount_e10, held.currency) for held in granted.lease.holds] == [(4 * E10, "EUR")]
    desk.price(currency="USD")
    settle(desk, granted.lease.lease_id)
    assert available(desk, replace(one, currency="EUR")) == Decimal("99.98")


def test_a_reservation_of_one_budget_takes_its_scope(desk: Desk) -> None:
    narrow = budget(desk, amount=5, scope={"project": "search"})
    granted = reserve(desk, amount=1, budget_id=narrow.budget_id)
    assert granted.lease.usage["project_id"] == "search"
    outside = reserve(desk, amount=1, project_id="other", budget_id=narrow.budget_id)
    assert isinstance(outside, InvalidInput)
    assert isinstance(reserve(desk, amount=1, budget_id="budget-none"), NotFound)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"amount"}),
        ({"amount": 0}, {"amount"}),
        ({"amount": -1}, {"amount"}),
        ({"amount": "x", "ttl_seconds": 0, "colour": 1}, {"amount", "ttl_seconds", "colour"}),
        ({"amount": 1, "input_tokens": 5}, {"amount"}),
        ({"input_tokens": 5}, {"provider", "model_id"}),
        ({"provider": "openai", "model_id": "m", "input_tokens": -5}, {"input_tokens"}),
        ({"amount": 10**12}, {"amount"}),
        ({"amount": 1, "currency": "dollars"}, {"currency"}),
        ({"amount": 1, "project_id": "", "user_id": 7}, {"project_id", "user_id"}),
    ],
)
def test_every_problem_of_a_request_is_named(desk: Desk, body: dict[str, Any], fields: set[str]) -> None:
    intake = Intake(desk.application.books.current().names, to_us(desk.now), organization_id=desk.org)
    with pytest.raises(InvalidInput) as refused:
        read_lease_request(body, intake, default_ttl=MINUTE)
    assert {problem.field for problem in refused.value.problems} == fields


def test_many_callers_never_pass_the_limit_and_use_all_of_it(desk: Desk) -> None:
    """120 callers want 1.00 each of 100.00, 8 threads at a time: 100 get it, and every refusal came when all was held."""
    one = budget(desk)
    start = threading.Barrier(8)

    def caller(number: int) -> Any:
        if number < 8:
            start.wait(timeout=30)
        return reserve(desk, amount=1, user_id=f"u{number}")

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(caller, range(120)))
    granted = [o for o in outcomes if isinstance(o, Granted)]
    assert len(granted) == 100
    assert all(o.decision.refusing[0].status.available_e10 < E10 for o in outcomes if isinstance(o, Refused))
    assert available(desk, one) == 0
    assert len({o.lease.lease_id for o in granted}) == 100


def test_callers_who_settle_less_make_room_for_others(desk: Desk) -> None:
    """Reserve 1.00, settle 0.025: a hundred callers of a budget of 4.00 all get through, and the sums are exact."""
    one = budget(desk, amount=4)
    desk.price()

    def caller(number: int) -> int:
        refused = 0
        while isinstance(outcome := reserve(desk, amount=1, user_id=f"u{number}"), Refused):
            refused += 1
        settle(desk, outcome.lease.lease_id)
        return refused

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(caller, range(100)))
    assert available(desk, one) == Decimal("1.5")
