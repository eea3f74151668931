"""The jobs of budgets: from an event to an alert, at a pace that leaves room for usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from cost_ops.domain.access import OWNER
from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.jobs import KINDS, JobKind, JobStatus
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.interfaces.context import Context
from cost_ops.services import organizations, outbox, pricing, usage
from cost_ops.workers import alert_tasks
from cost_ops.workers.alert_tasks import LONGEST_REST, Pace
from cost_ops.workers.runner import Runner
from cost_ops.workers.tasks import TASKS
from cost_ops.workers.workplace import Run, Trade, Workplace
from tests.workers.conftest import NOW, Shop

EVALUATE = "alerts.evaluate"


@pytest.fixture
def ctx(shop: Shop) -> Context:
    """An organisation with a price, and a budget of 100 whose half is a threshold."""
    ctx = shop.application.context(OWNER)
    organizations.ensure(ctx, "acme")
    rates = rates_from_fields({"input_price_per_1k": "1", "output_price_per_1k": "0"})
    pricing.add(ctx, "acme", pricing.NewPrice("openai", "m", rates, effective_from=datetime(2020, 1, 1, tzinfo=UTC)))
    document = {"amount": 100, "alert_thresholds": ["0.5"], "escalate_after_minutes": 30, "forecast_alerts": False}
    about: dict[str, Any] = {"organization_id": "acme", "budget_id": "budget-1", "by": "owner", "now": NOW}
    with ctx.storage.ledger("acme") as ledger:
        ledger.budgets.add(read_budget(document, **about, names=same_names))
    return ctx


def spend(ctx: Context, amount: int) -> None:
    fields = {"provider": "openai", "model_id": "m", "organization_id": "acme", "input_tokens": amount * 1000}
    sent, problems = read_fields({**fields, "output_tokens": 0})
    book = ctx.books.current()
    submission = build(sent, Intake(book.names, int(ctx.clock().timestamp()) * 10**6, shapes=ctx.shapes), problems)
    usage.record(ctx, [usage.Batch([usage.price(ctx, book, submission)])])


def told(ctx: Context) -> list[str]:
    """What waits to be told, in order."""
    with ctx.storage.installation() as installation:
        return [one.event for one in installation.outbox.take(1_000) if one.event.startswith("budget.")]


def runner(shop: Shop, *names: str) -> Runner:
    kinds = tuple(replace(kind, cron=None) for kind in KINDS if kind.name in names)
    return Runner(shop.application, threads=1, trade=Trade(kinds, {name: TASKS[name] for name in names}))


def test_what_is_spent_leads_to_one_job_and_that_to_alerts(shop: Shop, ctx: Context) -> None:
    for _ in range(5):
        spend(ctx, 12)
    assert outbox.dispatch(ctx).events >= 5
    [job] = shop.jobs(EVALUATE)
    assert (job.payload, job.run_at) == ({"organization_id": "acme"}, NOW)
    runner(shop, EVALUATE).run_due()
    assert told(ctx) == ["budget.threshold_exceeded"]
    assert shop.jobs(EVALUATE) == []


def test_who_was_looked_at_a_moment_ago_has_to_wait(shop: Shop, ctx: Context) -> None:
    spend(ctx, 1)
    assert evaluated(shop, ctx)["budgets"] == 1
    spend(ctx, 60)
    assert evaluated(shop, ctx).keys() == {"later"}
    assert told(ctx) == []
    [job] = shop.jobs(EVALUATE)
    assert job.status is JobStatus.QUEUED
    assert NOW + timedelta(seconds=0.5) <= job.run_at <= NOW + LONGEST_REST
    spend(ctx, 1)
    outbox.dispatch(ctx)
    assert len(shop.jobs(EVALUATE)) == 1
    shop.clock[0] = job.run_at
    assert evaluated(shop, ctx)["thresholds"] == 1
    assert told(ctx) == ["budget.threshold_exceeded"]


def evaluated(shop: Shop, ctx: Context) -> Mapping[str, Any]:
    """What the one job that is due says, done by one and the same worker."""
    outbox.dispatch(ctx)
    with ctx.storage.installation() as installation:
        [job] = installation.jobs.claim("worker", shop.now, limit=2, lease=timedelta(minutes=1))
    found = alert_tasks.evaluate(Run(Workplace(shop.application, f"worker of {id(shop)}", Event()), job, ctx))
    with ctx.storage.installation() as installation:
        assert installation.jobs.finish(job, found, shop.now, keep=False)
    return found


def test_a_rest_is_ten_times_the_work_and_never_long() -> None:
    pace, whose = Pace(), ("worker", "acme")
    assert pace.resting_until(whose, NOW) is None
    for seconds, rest in ((0, 0.5), (0.01, 0.5), (0.2, 2), (100, 60)):
        pace.took(whose, seconds, NOW)
        until = NOW + timedelta(seconds=rest)
        assert pace.resting_until(whose, NOW) == until
        assert pace.resting_until(whose, until) is None
        assert pace.resting_until(("worker", "other"), NOW) is None
    assert pace.resting_until(whose, NOW - timedelta(hours=1)) is None


def test_the_clock_brings_sweeps_escalations_and_the_end_of_leases(shop: Shop, ctx: Context) -> None:
    by_name = {kind.name: kind for kind in KINDS}
    names = ("alerts.sweep", "alerts.escalate", "leases.expire")
    assert [by_name[name].cron for name in names] == ["*/10 * * * *", "* * * * *", "* * * * *"]
    spend(ctx, 60)
    kinds: tuple[JobKind, ...] = tuple(by_name[name] for name in names)
    tasks = {name: TASKS[name] for name in names}
    shop.run_due(*kinds, **tasks)
    assert told(ctx) == ["budget.threshold_exceeded"]
    shop.pass_(minutes=31)
    shop.run_due(*kinds, **tasks)
    assert told(ctx) == ["budget.escalated"]


def test_an_organisation_that_is_gone_fails_nothing(shop: Shop, ctx: Context) -> None:
    shop.add(EVALUATE, payload={"organization_id": "gone"})
    runner(shop, EVALUATE).run_due()
    assert shop.jobs(EVALUATE) == []
    assert told(ctx) == []
