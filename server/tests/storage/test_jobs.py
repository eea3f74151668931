"""The job table on both databases: one job a slot, one worker a job, and nothing by who lost its lease."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cost_ops.domain.jobs import Job, JobStatus, NewJob, cron_slot, next_attempt
from cost_ops.interfaces.storage import Storage

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)


def add(storage: Storage, kind: str = "k", at: datetime = NOW, **fields: Any) -> bool:
    with storage.installation() as installation:
        return installation.jobs.enqueue(NewJob(kind, at, **fields), NOW)


def claim(storage: Storage, worker: str = "w1", now: datetime = NOW, limit: int = 10, **more: Any) -> list[Job]:
    with storage.installation() as installation:
        return installation.jobs.claim(worker, now, limit=limit, lease=LEASE, **more)


def change(storage: Storage, what: str, job: Job, *args: Any, **named: Any) -> bool:
    with storage.installation() as installation:
        return bool(getattr(installation.jobs, what)(job, *args, **named))


def get(storage: Storage, job: Job) -> Job:
    with storage.installation() as installation:
        found = installation.jobs.get(job.job_id)
    assert found is not None
    return found


def everything(storage: Storage, **asked: Any) -> list[Job]:
    with storage.installation() as installation:
        return installation.jobs.page(**asked)[0]


def test_a_job_is_taken_when_it_is_due_and_done_once(storage: Storage) -> None:
    assert add(storage, at=NOW + SECOND, payload={"month": 3, "who": "x\x00"}, organization_id="org-1")
    assert claim(storage) == []
    [job] = claim(storage, now=NOW + SECOND)
    assert (job.status, job.worker, job.attempts, job.organization_id) == (JobStatus.RUNNING, "w1", 1, "org-1")
    assert job.payload == {"month": 3, "who": "x"}
    assert job.leased_until == NOW + SECOND + LEASE
    assert claim(storage, "w2", NOW + 2 * SECOND) == []
    assert change(storage, "finish", job, {"rows": 7}, NOW + 3 * SECOND)
    done = get(storage, job)
    assert (done.status, done.result, done.finished_at) == (JobStatus.DONE, {"rows": 7}, NOW + 3 * SECOND)
    assert not change(storage, "finish", job, {"rows": 8}, NOW + 4 * SECOND)
    assert get(storage, job) == done


def test_of_a_slot_there_is_one_job(storage: Storage) -> None:
    slot = cron_slot("k", NOW)
    assert add(storage, slot=slot)
    assert not add(storage, slot=slot)
    [job] = claim(storage)
    assert not add(storage, slot=slot)
    assert change(storage, "finish", job, None, NOW)
    assert not add(storage, slot=slot)
    assert len(everything(storage)) == 1


def test_a_coalescing_slot_is_free_again_once_its_job_is_taken(storage: Storage) -> None:
    assert add(storage, slot="~k:org-1")
    assert not add(storage, slot="~k:org-1")
    [job] = claim(storage)
    assert job.slot is None
    assert add(storage, slot="~k:org-1")
    assert not add(storage, slot="~k:org-1")
    with storage.installation() as installation:
        waiting = installation.jobs.find("~k:org-1")
    assert waiting is not None
    assert waiting.job_id != job.job_id


def test_who_lost_the_lease_changes_nothing_and_is_told(storage: Storage) -> None:
    add(storage)
    [lost] = claim(storage)
    later = NOW + LEASE + SECOND
    [job] = claim(storage, "w2", later)
    assert (job.job_id, job.attempts) == (lost.job_id, 2)
    before = get(storage, job)
    assert not change(storage, "heartbeat", lost, later + LEASE)
    assert not change(storage, "finish", lost, {"by": "w1"}, later)
    assert not change(storage, "finish", lost, None, later, keep=False)
    assert not change(storage, "fail", lost, "no", later, None)
    assert not change(storage, "give_back", lost, later)
    assert get(storage, job) == before
    assert change(storage, "finish", job, {"by": "w2"}, later)


def test_the_same_worker_that_takes_a_job_again_holds_the_newer_lease_only(storage: Storage) -> None:
    add(storage)
    [first] = claim(storage)
    [second] = claim(storage, now=NOW + LEASE + SECOND)
    assert not change(storage, "finish", first, None, NOW)
    assert change(storage, "finish", second, None, NOW)


def test_a_heartbeat_holds_a_job(storage: Storage) -> None:
    add(storage)
    [job] = claim(storage)
    assert change(storage, "heartbeat", job, NOW + 3 * LEASE)
    assert claim(storage, "w2", NOW + 2 * LEASE) == []
    assert len(claim(storage, "w2", NOW + 4 * LEASE)) == 1


def test_a_failure_is_tried_again_later_and_is_dead_after_the_last_attempt(storage: Storage) -> None:
    add(storage, max_attempts=2)
    [job] = claim(storage)
    retry_at = next_attempt(job.attempts, job.max_attempts, NOW)
    assert retry_at == NOW + timedelta(seconds=30)
    assert change(storage, "fail", job, "the mail server is away", NOW, retry_at)
    waiting = get(storage, job)
    assert (waiting.status, waiting.error, waiting.run_at) == (JobStatus.QUEUED, "the mail server is away", retry_at)
    assert claim(storage, now=NOW + 29 * SECOND) == []
    [again] = claim(storage, now=retry_at)
    assert next_attempt(again.attempts, again.max_attempts, retry_at) is None
    assert change(storage, "fail", again, "still away", retry_at, None)
    assert get(storage, job).status is JobStatus.DEAD
    assert claim(storage, now=NOW + timedelta(days=1)) == []


def test_a_job_whose_workers_all_went_away_is_dead(storage: Storage) -> None:
    add(storage, max_attempts=2)
    claim(storage)
    [job] = claim(storage, now=NOW + 2 * LEASE)
    assert claim(storage, now=NOW + 4 * LEASE) == []
    dead = get(storage, job)
    assert (dead.status, dead.finished_at) == (JobStatus.DEAD, NOW + 4 * LEASE)
    assert "went away" in (dead.error or "")


def test_what_is_given_back_costs_no_attempt(storage: Storage) -> None:
    add(storage)
    [job] = claim(storage)
    assert change(storage, "give_back", job, NOW)
    [again] = claim(storage, "w2")
    assert again.attempts == 1


def test_a_dead_job_is_retried_with_all_its_attempts(storage: Storage) -> None:
    add(storage, max_attempts=1)
    [job] = claim(storage)
    change(storage, "fail", job, "no", NOW, None)
    with storage.installation() as installation:
        assert installation.jobs.retry(job.job_id, NOW)
        assert not installation.jobs.retry("no-such-job", NOW)
    [again] = claim(storage)
    assert (again.attempts, again.error) == (1, "no")
    with storage.installation() as installation:
        assert not installation.jobs.retry(job.job_id, NOW)
    change(storage, "finish", again, None, NOW)
    assert get(storage, job).error is None


def test_the_oldest_come_first_and_only_as_many_as_asked_for(storage: Storage) -> None:
    for minutes in (2, 0, 1):
        add(storage, f"k{minutes}", NOW - timedelta(minutes=minutes))
    assert [job.kind for job in claim(storage, limit=2)] == ["k2", "k1"]
    [last] = everything(storage, kind="k0")
    assert [job.kind for job in claim(storage, only=last.job_id)] == ["k0"]


def test_a_list_is_newest_first_and_counted(storage: Storage) -> None:
    for kind in ("a", "b", "a"):
        add(storage, kind)
    claim(storage, limit=1)
    with storage.installation() as installation:
        found, total = installation.jobs.page(kind="a", limit=1, offset=1)
        assert (len(found), total) == (1, 2)
        assert installation.jobs.page(status=JobStatus.RUNNING)[1] == 1
        assert installation.jobs.page(status=JobStatus.DONE)[1] == 0


def test_the_backlog_says_what_waits_and_since_when(storage: Storage) -> None:
    with storage.installation() as installation:
        assert installation.jobs.backlog(NOW).lag(NOW) == timedelta()
    for minutes in (-5, 1, 3, 4):
        add(storage, at=NOW - timedelta(minutes=minutes), max_attempts=1)
    [job] = claim(storage, limit=1)
    change(storage, "fail", job, "no", NOW, None)
    claim(storage, limit=1)
    with storage.installation() as installation:
        backlog = installation.jobs.backlog(NOW)
    assert (backlog.due, backlog.running, backlog.dead) == (1, 1, 1)
    assert backlog.lag(NOW) == timedelta(minutes=1)
    assert backlog.lag(NOW - timedelta(hours=1)) == timedelta(), "a clock that was set back"


def test_old_jobs_are_forgotten_but_for_the_last_scheduled_one_of_a_kind(storage: Storage) -> None:
    months = [NOW - timedelta(days=days) for days in (90, 60, 30, -365)]
    for at in months:
        add(storage, "monthly", at, slot=cron_slot("monthly", at))
    add(storage, "other", NOW - timedelta(days=90))
    add(storage, "waits", NOW)
    for job in claim(storage, now=NOW + timedelta(days=400)):
        if job.kind != "waits":
            change(storage, "finish", job, None, NOW - timedelta(days=29))
    with storage.installation() as installation:
        assert installation.jobs.prune(NOW - timedelta(days=20), NOW) == 4
    # The one of next year stands for a clock that was wrong: it is no reason to run last month's again.
    assert {job.slot for job in everything(storage)} == {None, cron_slot("monthly", months[2])}
    assert not add(storage, "monthly", slot=cron_slot("monthly", months[2]))


def test_a_kind_that_is_not_kept_is_forgotten_but_for_its_last_scheduled_job(storage: Storage) -> None:
    add(storage, slot="~k")
    [job] = claim(storage)
    assert change(storage, "finish", job, None, NOW, keep=False)
    assert everything(storage) == []
    at = NOW
    for _ in range(3):
        at += timedelta(minutes=1)
        add(storage, at=at, slot=cron_slot("k", at))
        [job] = claim(storage, now=at)
        assert change(storage, "finish", job, None, at, keep=False)
    assert [job.slot for job in everything(storage)] == [cron_slot("k", at)]


@pytest.mark.parametrize("workers", [4])
def test_many_workers_take_each_job_once(storage: Storage, workers: int) -> None:
    for number in range(60):
        add(storage, f"k{number}")
    taken: list[str] = []

    def work(name: str) -> None:
        while found := claim(storage, name, limit=3):
            taken.extend(job.kind for job in found)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"k{number}" for number in range(60))


def test_many_that_queue_the_same_slot_make_one_job(storage: Storage) -> None:
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(add(storage, slot="k@x"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 4 + [True]
