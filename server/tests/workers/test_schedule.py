"""Schedules: each time once, however many schedulers, restarts and clocks that are wrong there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cost_ops.domain.jobs import JobKind, JobStatus
from cost_ops.workers.schedule import Scheduler
from tests.workers.conftest import NOW, Shop

HOURLY = JobKind("hourly", "every hour", "0 * * * *")
NIGHTLY = JobKind("nightly", "at night in Berlin", "30 2 * * *", "Europe/Berlin")


def slots(shop: Shop) -> list[str]:
    return sorted(job.slot or "" for job in shop.jobs())


def test_a_run_is_queued_once_by_many_schedulers(shop: Shop) -> None:
    schedulers = [Scheduler([HOURLY], shop.application.storage) for _ in range(3)]
    queued = [s.queue_due(NOW + timedelta(minutes=m)) for m in (0, 20, 59, 60, 61) for s in schedulers]
    assert slots(shop) == ["hourly@2026-03-14T12:00:00Z", "hourly@2026-03-14T13:00:00Z"]
    assert sum(map(len, queued)) == 2


def test_only_the_latest_run_that_was_missed_is_made_up_for(shop: Shop) -> None:
    Scheduler([HOURLY, NIGHTLY], shop.application.storage).queue_due(NOW)
    later = NOW + timedelta(days=3, minutes=7)
    assert Scheduler([HOURLY, NIGHTLY], shop.application.storage).queue_due(later) == [
        "hourly@2026-03-17T12:00:00Z",
        "nightly@2026-03-17T01:30:00Z",
    ]


def test_a_clock_that_is_set_back_runs_nothing_twice_and_loses_nothing(shop: Shop) -> None:
    scheduler = Scheduler([HOURLY], shop.application.storage)
    found = []
    for minutes in (0, 60, 120, 30, 60, 90, 150, 180):
        now = NOW + timedelta(minutes=minutes)
        scheduler.queue_due(now)
        shop.clock[0] = now
        found += [job.slot for job in shop.jobs() if job.status is JobStatus.QUEUED]
        shop.run_due(hourly=lambda _: None)
    assert sorted(map(str, found)) == [f"hourly@2026-03-14T{hour}:00:00Z" for hour in (12, 13, 14, 15)]


def test_a_night_without_half_past_two_has_its_run_at_three(shop: Shop) -> None:
    scheduler = Scheduler([NIGHTLY], shop.application.storage)
    scheduler.queue_due(datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC))
    assert slots(shop) == ["nightly@2026-03-28T01:30:00Z"]
    scheduler.queue_due(datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    assert slots(shop)[1:] == ["nightly@2026-03-29T01:00:00Z"]


def test_the_schedulers_of_a_database_that_is_away_try_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler([HOURLY], shop.application.storage)
    with monkeypatch.context() as patch:
        patch.setattr(shop.application.storage, "installation", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            scheduler.queue_due(NOW)
    assert scheduler.queue_due(NOW) == ["hourly@2026-03-14T12:00:00Z"]


def test_a_runner_schedules_and_does_what_is_due(shop: Shop) -> None:
    runner = shop.run_due(HOURLY, NIGHTLY, hourly=lambda _: None, nightly=lambda _: {"slept": 8})
    assert runner.stats.ended == {"done": 2}
    assert shop.job("nightly").result == {"slept": 8}
    assert shop.run_due(HOURLY, NIGHTLY).stats.ended == {}
