"""Alerts in both databases: one for each threshold and period, whoever comes first; and whose they are."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.domain.alerts import Alert, AlertKind, AlertStatus
from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.interfaces.alerts import AlertSearch
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOW, organize


def alert(number: int = 1, **fields: Any) -> Alert:
    values: dict[str, Any] = {
        "alert_id": f"alert-{number}",
        "organization_id": "acme",
        "budget_id": "budget-1",
        "period_start": NOW,
        "kind": AlertKind.THRESHOLD,
        "threshold": Decimal("0.75"),
        "fired_at": NOW,
        "spend_e10": 3750 * 10**10,
        "limit_e10": 5000 * 10**10,
        "currency": "EUR",
        "detail": {"current_spend": Decimal("3750.0000000001"), "scope": {"project": ["søk"]}, "late": False},
    }
    return Alert(**values | fields)


@pytest.fixture
def acme(storage: Storage) -> Storage:
    organize(storage, "acme", "other")
    return storage


def test_an_alert_comes_back_as_it_was_kept(acme: Storage) -> None:
    with acme.ledger("acme") as ledger:
        assert ledger.alerts.add(alert())
    with acme.ledger("acme") as ledger:
        assert ledger.alerts.get("alert-1") == alert()
        assert ledger.alerts.get("alert-2") is None
        (fired,) = ledger.alerts.fired(["budget-1", "budget-2"], NOW)
        assert (fired.alert_id, fired.threshold, fired.period_start) == ("alert-1", Decimal("0.75"), NOW)
        assert ledger.alerts.fired(["budget-2"], NOW) == []
        assert ledger.alerts.fired(["budget-1"], NOW + timedelta(microseconds=1)) == []


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, False),
        ({"threshold": Decimal("0.750")}, False),
        ({"fired_at": NOW + timedelta(days=1)}, False),
        ({"threshold": Decimal("0.751")}, True),
        ({"kind": AlertKind.FORECAST}, True),
        ({"budget_id": "budget-2"}, True),
        ({"period_start": NOW + timedelta(days=30)}, True),
    ],
)
def test_a_threshold_is_kept_once_a_period(acme: Storage, fields: dict[str, Any], kept: bool) -> None:
    with acme.ledger("acme") as ledger:
        assert ledger.alerts.add(alert())
    with acme.ledger("acme") as ledger:
        assert ledger.alerts.add(alert(2, **fields)) is kept
    with acme.ledger("other") as ledger:
        assert ledger.alerts.add(alert(3, organization_id="other"))


def test_of_many_who_keep_an_alert_at_once_one_does(acme: Storage) -> None:
    kept: list[str] = []
    gate = threading.Barrier(6)

    def work(number: int) -> None:
        gate.wait()
        for threshold in range(1, 6):
            mine = alert(number * 10 + threshold, threshold=Decimal(threshold) / 10)
            with acme.ledger("acme") as ledger:
                won = ledger.alerts.add(mine)
            if won:
                kept.append(mine.alert_id)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with acme.ledger("acme") as ledger:
        found = {one.alert_id for one in ledger.alerts.fired(["budget-1"], NOW)}
    assert (len(kept), set(kept)) == (5, found)


def test_what_becomes_of_an_alert_is_noted_once(acme: Storage) -> None:
    later = NOW + timedelta(hours=1)
    with acme.ledger("acme") as ledger:
        for number, threshold in enumerate(("0.5", "0.6", "0.7"), 1):
            assert ledger.alerts.add(alert(number, threshold=Decimal(threshold)))
    with acme.ledger("acme") as ledger:
        assert [ledger.alerts.recover("alert-1", at) for at in (NOW, later)] == [True, False]
        assert [ledger.alerts.escalate("alert-2", at) for at in (NOW, later)] == [True, False]
        first = ledger.alerts.acknowledge("alert-2", by="user:1", comment="seen", at=NOW)
        second = ledger.alerts.acknowledge("alert-2", by="user:2", comment="too", at=later)
        assert (first, second) == (True, False)
        assert not ledger.alerts.escalate("alert-1", NOW)
        assert [one.alert_id for one in ledger.alerts.unanswered(NOW)] == ["alert-3"]
        assert ledger.alerts.unanswered(later) == []
    with acme.ledger("acme") as ledger:
        answered = replace(
            alert(2, threshold=Decimal("0.6")),
            escalated_at=NOW,
            acknowledged_at=NOW,
            acknowledged_by="user:1",
            comment="seen",
        )
        assert ledger.alerts.get("alert-2") == answered
        assert (ledger.alerts.get("alert-1") or answered).status is AlertStatus.RECOVERED


def test_alerts_of_others_are_not_there(acme: Storage) -> None:
    with acme.ledger("acme") as ledger:
        ledger.alerts.add(alert())
    with acme.ledger("other") as ledger:
        assert ledger.alerts.get("alert-1") is None
        assert ledger.alerts.page(AlertSearch()) == ([], 0)
        assert ledger.alerts.unanswered(NOW) == ledger.alerts.fired(["budget-1"], NOW) == []
        assert not ledger.alerts.recover("alert-1", NOW)
        assert not ledger.alerts.escalate("alert-1", NOW)
        assert not ledger.alerts.acknowledge("alert-1", by="x", comment="y", at=NOW)


def test_pages_are_newest_first_and_narrowed(acme: Storage) -> None:
    with acme.ledger("acme") as ledger:
        for number in range(10):
            at = NOW + timedelta(hours=number)
            ledger.alerts.add(alert(number, budget_id=f"budget-{number % 2}", period_start=at, fired_at=at))
        ledger.alerts.recover("alert-3", NOW)
        ledger.alerts.acknowledge("alert-3", by="x", comment=None, at=NOW)
        ledger.alerts.acknowledge("alert-5", by="x", comment=None, at=NOW)
        numbers = lambda **wanted: [int(one.alert_id[6:]) for one in ledger.alerts.page(AlertSearch(**wanted))[0]]  # noqa: E731
        assert numbers(limit=4, offset=2) == [7, 6, 5, 4]
        assert numbers(budget_ids=["budget-1"]) == [9, 7, 5, 3, 1]
        assert numbers(budget_ids=[]) == []
        assert numbers(status=AlertStatus.RECOVERED) == [3]
        assert numbers(status=AlertStatus.ACKNOWLEDGED) == [5]
        assert numbers(status=AlertStatus.OPEN, budget_ids=["budget-1"]) == [9, 7, 1]
        assert numbers(since=NOW + timedelta(hours=8)) == [9, 8]
        assert ledger.alerts.page(AlertSearch(limit=1, since=NOW))[1] == 10


def test_the_installation_knows_whom_to_look_at(acme: Storage) -> None:
    about: dict[str, Any] = {"budget_id": "budget-1", "by": "owner", "now": NOW, "names": same_names}
    with acme.ledger("acme") as ledger:
        ledger.budgets.add(read_budget({"amount": 5}, organization_id="acme", **about))
    with acme.ledger("other") as ledger:
        budget = ledger.budgets.add(read_budget({"amount": 5}, organization_id="other", **about))
    with acme.ledger("other") as ledger:
        ledger.budgets.save(replace(budget, ended_at=NOW))
        ledger.alerts.add(alert(1, organization_id="other"))
    with acme.ledger("acme") as ledger:
        ledger.alerts.add(alert(2))
        ledger.alerts.escalate("alert-2", NOW)
    with acme.installation() as installation:
        assert installation.alerts.watching() == ["acme"]
        assert installation.alerts.waiting(NOW) == ["other"]
        assert installation.alerts.waiting(NOW + timedelta(seconds=1)) == []


def test_a_budget_that_was_changed_is_read_anew(acme: Storage) -> None:
    about: dict[str, Any] = {"budget_id": "budget-1", "by": "owner", "now": NOW, "names": same_names}
    with acme.ledger("acme") as ledger:
        budget = ledger.budgets.add(read_budget({"amount": 5}, organization_id="acme", **about))
        assert ledger.budgets.list() == [budget]
    try:
        with acme.ledger("acme") as ledger:
            ledger.budgets.save(replace(budget, amount_e10=7))
            assert [one.amount_e10 for one in ledger.budgets.list()] == [7]
            raise KeyError("nothing of this is kept")
    except KeyError:
        pass
    with acme.ledger("acme") as ledger:
        assert ledger.budgets.list() == [budget]
        ledger.budgets.save(replace(budget, silenced_until=NOW))
        assert [one.silenced_until for one in ledger.budgets.list()] == [NOW]
