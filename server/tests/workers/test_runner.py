"""What the runner promises: a job is done, tried again, given back or another's, and the runner goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cost_ops.domain.access import OWNER
from cost_ops.domain.audit import Action
from cost_ops.domain.errors import Unavailable
from cost_ops.domain.jobs import JobKind, JobStatus
from cost_ops.workers.bench import Bench
from cost_ops.workers.runner import Runner
from cost_ops.workers.stats import Stats
from cost_ops.workers.workplace import NotDone, Pump, Run, Workplace
from tests.workers.conftest import Shop

Wait = Callable[[Callable[[], bool], str], None]


def test_a_job_is_done_and_its_result_kept(shop: Shop) -> None:
    shop.add("count", payload={"to": 3})
    runner = shop.run_due(count=lambda run: {"counted": list(range(run.job.payload["to"]))})
    job = shop.job("count")
    assert (job.status, job.result, job.error) == (JobStatus.DONE, {"counted": [0, 1, 2]}, None)
    assert runner.stats.ended == {"done": 1}
    assert b'cost_ops_jobs_total{kind="count",outcome="done"} 1.0' in runner.metrics_text()


def test_what_fails_is_recorded_and_tried_again_until_it_is_dead(shop: Shop) -> None:
    tried = []

    def fail(run: Run) -> None:
        tried.append(run.job.attempts)
        raise ValueError("no such month: 13")

    shop.add("fail", max_attempts=3)
    shop.run_due(fail=fail)
    job = shop.job("fail")
    assert (job.status, job.error) == (JobStatus.QUEUED, "ValueError: no such month: 13")
    assert job.run_at == shop.now + timedelta(seconds=30)
    shop.pass_(seconds=29)
    shop.run_due(fail=fail)
    assert tried == [1]
    shop.pass_(seconds=1)
    shop.run_due(fail=fail)
    assert shop.job("fail").run_at == shop.now + timedelta(minutes=2)
    shop.pass_(minutes=2)
    runner = shop.run_due(fail=fail)
    assert (shop.job("fail").status, tried) == (JobStatus.DEAD, [1, 2, 3])
    assert runner.stats.ended == {"dead": 1}


def test_a_job_that_this_program_does_not_know_waits_for_one_that_does(shop: Shop) -> None:
    shop.add("newer.kind")
    shop.run_due()
    job = shop.job("newer.kind")
    assert job.status is JobStatus.QUEUED
    assert "knows no job 'newer.kind'" in (job.error or "")


def test_an_effect_and_the_end_of_its_job_are_one_transaction(shop: Shop) -> None:
    def audited(run: Run) -> None:
        with run.ctx.storage.installation() as installation:
            installation.audit.add(run.ctx.event(Action.RETENTION_APPLIED, "effect"))
            run.finish(installation, {"written": 1})

    def too_late(run: Run) -> None:
        shop.pass_(minutes=5)
        with shop.application.storage.installation() as installation:
            installation.jobs.claim("another", shop.now, limit=1, lease=timedelta(minutes=5))
        audited(run)

    shop.add("good")
    shop.run_due(good=audited)
    shop.add("late")
    runner = shop.run_due(late=too_late)
    assert runner.stats.ended == {"lost": 1}
    assert (shop.job("late").status, shop.job("late").worker) == (JobStatus.RUNNING, "another")
    with shop.application.storage.installation() as installation:
        events, total = installation.audit.page(action="retention.applied", limit=10, offset=0)
    assert (total, events[0].request_id) == (1, shop.job("good").job_id)


def test_what_ends_after_its_lease_is_anothers_changes_nothing(shop: Shop) -> None:
    def slow(run: Run) -> Mapping[str, Any]:
        shop.pass_(minutes=5)
        with shop.application.storage.installation() as installation:
            installation.jobs.claim("another", shop.now, limit=1, lease=timedelta(minutes=5))
        return {"by": "the slow one"}

    shop.add("slow")
    assert shop.run_due(slow=slow).stats.ended == {"lost": 1}
    assert shop.job("slow").result is None


def test_leases_are_held_while_a_job_runs_and_the_job_is_told_when_they_are_lost(shop: Shop) -> None:
    place = Workplace(shop.application, "w1", threading.Event())
    bench = Bench(place, {}, Stats())
    shop.add("long")
    run = bench.take()
    assert run is not None
    shop.pass_(seconds=29)
    bench.hold()
    assert shop.job("long").leased_until == shop.now + timedelta(seconds=30)
    shop.pass_(seconds=31)
    other = Bench(replace(place, worker="w2"), {"long": lambda _: None}, Stats())
    taken = other.take()
    assert taken is not None
    bench.hold()
    assert run.lost
    assert other.do(taken) == "done"


def test_several_threads_do_jobs_at_once_until_the_runner_is_stopped(shop: Shop, eventually: Wait) -> None:
    together = threading.Barrier(3)
    for number in range(3):
        shop.add("meet", slot=f"meet-{number}")
    runner = shop.runner(threads=3, meet=lambda _: {"met": together.wait(30) >= 0})
    runner.start()
    eventually(lambda: runner.stats.ended.get("done") == 3, "three jobs at once")
    runner.stop()
    assert {job.status for job in shop.jobs()} == {JobStatus.DONE}


def test_what_is_not_done_when_the_runner_stops_is_given_back(shop: Shop, eventually: Wait) -> None:
    begun, end = threading.Event(), threading.Event()

    def stubborn(_: Run) -> None:
        begun.set()
        end.wait(30)

    shop.add("stubborn")
    runner = shop.runner(stubborn=stubborn)
    runner.start()
    eventually(begun.is_set, "the job")
    runner.stop(grace_seconds=0)
    job = shop.job("stubborn")
    assert (job.status, job.attempts, job.worker) == (JobStatus.QUEUED, 0, None)
    end.set()
    eventually(lambda: runner.stats.ended.get("lost") == 1, "its end")
    assert shop.job("stubborn").status is JobStatus.QUEUED


def test_a_task_that_ends_early_is_given_back(shop: Shop, eventually: Wait) -> None:
    def obedient(run: Run) -> None:
        while True:
            run.go_on()

    shop.add("obedient")
    runner = shop.runner(obedient=obedient)
    runner.start()
    eventually(lambda: shop.job("obedient").status is JobStatus.RUNNING, "the job")
    runner.stop()
    assert (shop.job("obedient").status, shop.job("obedient").attempts) == (JobStatus.QUEUED, 0)
    with pytest.raises(NotDone):
        obedient(Run(runner.workplace, shop.job("obedient"), shop.application.context(OWNER)))


def test_a_pump_is_repeated_while_there_is_more_and_after_it_failed(shop: Shop, eventually: Wait) -> None:
    steps: list[str] = []

    def make(place: Workplace) -> Callable[[], bool]:
        assert place.application is shop.application

        def step() -> bool:
            steps.append("step")
            if len(steps) == 2:
                raise Unavailable("the database is away")
            if len(steps) == 3:
                raise ValueError("a fault")
            return len(steps) < 6

        return step

    runner = shop.runner(pumps=(Pump("outbox", make, idle_seconds=0.01),))
    runner.start()
    eventually(lambda: len(steps) >= 8, "further steps")
    runner.stop()
    assert b'cost_ops_pump_errors_total{pump="outbox"} 2.0' in runner.metrics_text()


def test_once_does_what_pumps_and_jobs_bring_forth_too(shop: Shop) -> None:
    left = ["a", "b"]

    def make(place: Workplace) -> Callable[[], bool]:
        def step() -> bool:
            if left:
                shop.add("follow", payload={"of": left.pop()})
            return bool(left)

        return step

    runner = shop.runner(pumps=(Pump("outbox", make),), follow=lambda run: {"done": run.job.payload["of"]})
    runner.run_due()
    assert sorted(job.result["done"] for job in shop.jobs() if job.result) == ["a", "b"]


def test_the_runner_waits_for_a_database_that_is_away(
    shop: Shop, eventually: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, asked = shop.application.storage, []
    really = storage.installation

    def away() -> Any:
        asked.append(1)
        if len(asked) < 8:
            raise Unavailable("the database cannot be reached")
        return really()

    shop.add("patient")
    runner = shop.runner(patient=lambda _: None)
    monkeypatch.setattr("cost_ops.workers.runner.LONGEST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(storage, "installation", away)
    runner.start()
    eventually(lambda: runner.stats.ended.get("done") == 1, "the job")
    runner.stop()
    assert shop.job("patient").attempts == 1


def test_the_queue_is_told_in_numbers(shop: Shop) -> None:
    shop.add("waits")
    shop.add("dies", max_attempts=1)

    def die(_: Run) -> None:
        raise KeyError("nothing")

    runner = shop.runner(dies=die)
    assert runner.run_one(shop.job("dies").job_id) == "dead"
    shop.pass_(minutes=3)
    runner._look()  # what a thread does every ten seconds
    text = runner.metrics_text().decode()
    assert "cost_ops_jobs_dead 1.0" in text
    assert "cost_ops_job_lag_seconds 180.0" in text
    assert "cost_ops_jobs_due 1.0" in text


def test_one_job_is_done_here_unless_another_was_quicker(shop: Shop) -> None:
    shop.add("now")
    shop.add("other")
    job_id = shop.job("now").job_id
    runner = shop.runner(now=lambda _: {"here": True})
    assert runner.run_one(job_id) == "done"
    assert runner.run_one(job_id) is None
    assert shop.job("other").status is JobStatus.QUEUED


def test_two_runners_have_two_names(shop: Shop) -> None:
    one, other = Runner(shop.application), Runner(shop.application)
    assert one.workplace.worker != other.workplace.worker


def test_a_kind_that_is_not_kept_is_forgotten_when_it_is_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    fleeting = JobKind("fleeting", "comes and goes", keep=False)
    monkeypatch.setattr("cost_ops.workers.workplace.kind_of", lambda _: fleeting)
    shop.add("fleeting")
    assert shop.run_due(fleeting, fleeting=lambda _: None).stats.ended == {"done": 1}
    assert shop.jobs() == []
