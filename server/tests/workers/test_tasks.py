"""The tasks that there are, on a real ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cost_ops.bootstrap import sync_catalogue
from cost_ops.domain.access import OWNER
from cost_ops.domain.jobs import KINDS, JobStatus
from cost_ops.services import jobs, organizations
from cost_ops.workers.cron import Cron
from cost_ops.workers.runner import Runner
from cost_ops.workers.tasks import TASKS
from tests.workers.conftest import Shop


def test_every_kind_has_a_task_and_a_schedule_that_can_be_read() -> None:
    assert [kind.name for kind in KINDS] == list(TASKS)
    for kind in KINDS:
        assert kind.cron is None or Cron(kind.cron, kind.zone).explain().startswith(("At ", "Every "))


def test_on_a_new_installation_every_scheduled_job_succeeds_once(shop: Shop) -> None:
    runner = Runner(shop.application, threads=1)
    runner.run_due()
    scheduled = {kind.name for kind in KINDS if kind.cron is not None and kind.keep}
    found = {job.kind: job for job in shop.jobs()}
    assert scheduled <= set(found)
    assert {job.status for job in found.values()} == {JobStatus.DONE}, {k: j.error for k, j in found.items()}
    assert "for ever" in (found["retention.apply"].result or {})["skipped"]


def asked(shop: Shop, kind: str) -> dict[str, object]:
    """The result of a kind that somebody asked for."""
    job = jobs.run_kind(shop.application.context(OWNER), kind)
    assert Runner(shop.application).run_one(job.job_id) == "done"
    return dict(jobs.get_job(shop.application.context(OWNER), job.job_id).result or {})


def test_prices_are_synced_where_published_ones_are_used_at_all(shop: Shop) -> None:
    assert "skipped" in asked(shop, "prices.sync")
    sync_catalogue(shop.application, shop.application.context(OWNER), provider="mistral")
    found = asked(shop, "prices.sync")
    assert isinstance(found["added"], int)
    assert found["added"] > 0
    assert asked(shop, "prices.sync")["added"] == 0


def test_partitions_are_made_ahead(shop: Shop) -> None:
    made = asked(shop, "partitions.make")["made"]
    assert isinstance(made, list)
    if "postgresql" in shop.application.settings.database.url:
        assert any("2026" in str(name) for name in made)
    assert asked(shop, "partitions.make")["made"] == []


def test_sums_that_are_wrong_are_repaired_and_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from cost_ops.services import upkeep

    ctx = shop.application.context(OWNER)
    organizations.ensure(ctx, "org-1")
    organizations.ensure(ctx, "org-2")

    def check(_: object, name: str, *, repair: bool) -> list[upkeep.RollupCheck]:
        return [upkeep.RollupCheck(name, ("one too many",) if name == "org-2" else (), repaired=repair)]

    monkeypatch.setattr("cost_ops.workers.tasks.upkeep.check_rollups", check)
    assert asked(shop, "rollups.verify") == {"organizations": 2, "repaired": {"org-2": ["one too many"]}}


def test_jobs_that_ended_long_ago_are_forgotten(shop: Shop) -> None:
    asked(shop, "partitions.make")
    shop.pass_(days=shop.application.settings.jobs.keep_days + 1)
    assert asked(shop, "jobs.prune") == {"forgotten": 1}
    assert {job.kind for job in shop.jobs()} == {"jobs.prune"}
    shop.pass_(days=shop.application.settings.jobs.keep_days)
    assert asked(shop, "jobs.prune") == {"forgotten": 0}
    assert timedelta(days=shop.application.settings.jobs.keep_days) > timedelta()
