"""What is spent of budgets, on both databases: added to with the records, based, kept, and read back."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.budget_index import Moves, SpendKey
from cost_ops.domain.budgets import Budget
from cost_ops.domain.periods import DAY_US, to_us
from cost_ops.interfaces.storage import Storage
from cost_ops.storage import open_storage
from tests.storage.builders import NOON, NOW, contribution, moves, new, organize, store

JUNE = to_us(NOW.replace(day=1, hour=0, minute=0))
TODAY = NOON // DAY_US


def add(storage: Storage, organization_id: str = "acme", **document: Any) -> Budget:
    given = {"amount": 100, "name": "b", **document}
    made = read_budget(
        given,
        organization_id=organization_id,
        budget_id=f"budget-{given['name']}",
        by="owner",
        now=NOW,
        names=same_names,
    )
    with storage.ledger(organization_id) as ledger:
        return ledger.budgets.add(made)


def spent(storage: Storage, budget: Budget, *, by_day: bool = True, since: int = 0) -> Moves:
    with storage.ledger(budget.organization_id) as ledger:
        return ledger.budgets.spends({budget.number: since}, by_day=by_day)


def key(budget: Budget, *, day: int = TODAY, currency: str = "USD") -> SpendKey:
    return SpendKey(budget.number, JUNE, day, currency)


def test_a_budget_comes_back_as_it_was_stored(storage: Storage) -> None:
    organize(storage, "acme", "other")
    made = add(
        storage,
        amount="12.3456789012",
        scope={"project": ["b", "a"], "tag:env": "prod"},
        period="14 days",
        anchor_date="2025-06-02",
        timezone="Europe/Berlin",
        rollover={"unused": True, "limit": "2.5"},
        phases=[{"start_date": "2026-01-01T00:00:00Z", "amount": 7}],
        effective_to="2030-01-01T00:00:00.000001Z",
        alert_thresholds=["0.5"],
    )
    assert made.number > 0
    with storage.ledger("acme") as ledger:
        assert ledger.budgets.get("budget-b") == made
        assert ledger.budgets.list() == [made]
    with storage.ledger("other") as ledger:
        assert ledger.budgets.get("budget-b") is None
        assert ledger.budgets.list() == []


def test_records_are_added_in_their_own_transaction(storage: Storage) -> None:
    organize(storage, "acme")
    everything = add(storage)
    project = add(storage, name="p", scope={"project": "p"})
    store(storage, [new(cost=5), new(cost=7, project_id="p"), new(cost=None), new(cost=3, currency="EUR")])
    assert spent(storage, everything) == {
        key(everything): (12, 2),
        key(everything, currency="EUR"): (3, 1),
        key(everything, currency=""): (0, 1),
    }
    assert spent(storage, project) == {key(project): (7, 1)}
    with pytest.raises(RuntimeError):
        fail_after_recording(storage)
    assert spent(storage, project) == {key(project): (7, 1)}
    assert spent(storage, everything)[key(everything)] == (12, 2)


def fail_after_recording(storage: Storage) -> None:
    with storage.recorder() as recorder:
        record = new(cost=100)
        recorder.append([record])
        recorder.fold([contribution(record)])
        raise RuntimeError


def test_the_days_of_the_own_currency_are_one_where_nobody_asks_for_days(storage: Storage) -> None:
    organize(storage, "acme")
    made = add(storage)
    store(storage, [new(cost=5), new(cost=7, at=NOON - DAY_US), new(cost=3, currency="EUR"), new(cost=None)])
    assert spent(storage, made, by_day=False) == {
        key(made, day=0): (12, 2),
        key(made, currency="EUR"): (3, 1),
        key(made, day=0, currency=""): (0, 1),
    }
    assert spent(storage, made, since=JUNE + 1) == {}


def test_budgets_are_asked_for_since_an_instant_of_their_own(storage: Storage) -> None:
    organize(storage, "acme")
    monthly, daily = add(storage), add(storage, name="daily", period="daily", effective_from="2025-06-01T00:00:00Z")
    store(storage, [new(cost=5), new(cost=7, at=NOON - DAY_US)])
    with storage.ledger("acme") as ledger:
        found = ledger.budgets.spends({monthly.number: JUNE, daily.number: TODAY * DAY_US})
    assert {(one.number, one.period_start_us): sums for one, sums in found.items()} == {
        (monthly.number, JUNE): (12, 2),
        (daily.number, TODAY * DAY_US): (5, 1),
    }


def test_a_correction_takes_away_and_adds(storage: Storage) -> None:
    organize(storage, "acme")
    made = add(storage)
    (record,) = store(storage, [new(cost=None)])
    with storage.ledger("acme") as ledger:
        stored = ledger.usage.get(record.submission.timestamp_us, record.uid)
        assert stored is not None
        ledger.costs.fold(moves(stored, currency="USD", status="computed", cost=9))
    assert {one: sums for one, sums in spent(storage, made).items() if any(sums)} == {key(made): (9, 1)}


def test_bases_stand_beside_what_is_added_and_are_put_in_place(storage: Storage) -> None:
    organize(storage, "acme")
    made = add(storage)
    with storage.ledger("acme") as ledger:
        ledger.budgets.set_bases({key(made): (100, 4), key(made, day=TODAY - 1): (1, 1)})
        ledger.budgets.set_bases({})
    store(storage, [new(cost=5)])
    with storage.ledger("acme") as ledger:
        assert ledger.budgets.folded(made.number)[key(made)] == (5, 1)
        ledger.budgets.set_bases({key(made): (50, 2)})
        assert ledger.budgets.bases(made.number) == {key(made): (50, 2), key(made, day=TODAY - 1): (1, 1)}
    assert spent(storage, made) == {key(made): (55, 3), key(made, day=TODAY - 1): (1, 1)}


def test_a_process_that_knew_nothing_of_a_budget_counts_for_it_from_its_commit_on(
    storage: Storage, database_url: str
) -> None:
    organize(storage, "acme")
    other = open_storage(database_url, pool_size=2)
    try:
        store(other, [new(cost=1)])
        made = add(storage)
        store(other, [new(cost=5)])
        assert spent(storage, made) == {key(made): (5, 1)}
        with storage.ledger("acme") as ledger:
            ledger.budgets.save(replace(made, ended_at=NOW))
        store(other, [new(cost=7)])
        assert spent(storage, made) == {key(made): (5, 1)}
    finally:
        other.close()


def test_replacing_a_budget_begins_anew_under_its_id(storage: Storage) -> None:
    organize(storage, "acme")
    made = add(storage)
    store(storage, [new(cost=5)])
    with storage.ledger("acme") as ledger:
        narrower = ledger.budgets.replace(made, replace(made, version=2))
        assert ledger.budgets.get(made.budget_id) == narrower
        assert [one.number for one in ledger.budgets.list(ended=True)] == [made.number, narrower.number]
    assert narrower.number > made.number
    store(storage, [new(cost=7)])
    assert (spent(storage, made), spent(storage, narrower)) == ({key(made): (5, 1)}, {key(narrower): (7, 1)})


def test_removed_months_mark_the_periods_that_they_were_in(storage: Storage) -> None:
    organize(storage, "acme")
    monthly = add(storage, effective_from="2025-05-01T00:00:00Z")
    yearly = add(storage, name="y", period="yearly")
    store(storage, [new(cost=5), new(cost=7, at=NOON - 30 * DAY_US)])
    with storage.installation() as installation:
        installation.retention.remove_month(2025 * 12 + 4)
    with storage.ledger("acme") as ledger:
        assert ledger.budgets.kept_periods(monthly.number) == {to_us(NOW.replace(month=5, day=1, hour=0, minute=0))}
        assert ledger.budgets.kept_periods(yearly.number) == {to_us(NOW.replace(month=1, day=1, hour=0, minute=0))}
    assert sum(cost for cost, _ in spent(storage, monthly).values()) == 12


def test_writers_and_changes_at_once_lose_nothing(storage: Storage) -> None:
    organize(storage, "acme")
    made = add(storage)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(20):
                store(storage, [new(cost=1, at=NOON - n * DAY_US) for n in range(3)])
        except BaseException as error:  # noqa: BLE001 (told below)
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(10):
        with storage.ledger("acme") as ledger:
            ledger.budgets.set_bases({key(made, day=TODAY - d): (n, n) for d in range(3)})
        with storage.ledger("acme") as ledger:
            ledger.budgets.lock()
            found = ledger.budgets.get(made.budget_id)
            assert found is not None
            ledger.budgets.save(replace(found, version=found.version + 1))
    for thread in threads:
        thread.join()
    assert failures == []
    assert spent(storage, made) == {key(made, day=TODAY - d): (80 + 9, 80 + 9) for d in range(3)}


def test_what_leases_hold_is_told_by_budget_and_period(storage: Storage) -> None:
    organize(storage, "acme")
    made = add(storage)
    with storage.ledger("acme") as ledger:
        assert ledger.budgets.held([made.number], NOW) == {}
        assert ledger.budgets.spends({}) == {}
