"""The job that holds budgets against the ledger."""

from __future__ import annotations

from cost_ops.domain.access import OWNER
from cost_ops.domain.budget_index import SpendKey
from cost_ops.domain.jobs import JobStatus
from cost_ops.domain.periods import DAY_US, to_us
from cost_ops.services import budgets, jobs, organizations
from cost_ops.workers.runner import Runner
from tests.workers.conftest import Shop


def test_sums_of_budgets_that_are_wrong_are_set_right_and_told(shop: Shop) -> None:
    ctx = shop.application.context(OWNER)
    for name in ("org-1", "org-2"):
        organizations.ensure(ctx, name)
    made = budgets.create(ctx, "org-2", {"amount": 1})
    period = made.periods.at(ctx.clock())
    assert period is not None
    key = SpendKey(made.number, period.start_us, to_us(period.start) // DAY_US, "USD")
    with ctx.storage.ledger("org-2") as ledger:
        ledger.budgets.set_bases({key: (10**10, 1)})
    results = []
    for _ in range(2):
        job = jobs.run_kind(ctx, "budgets.verify")
        assert Runner(shop.application).run_one(job.job_id) == JobStatus.DONE
        results.append(jobs.get_job(ctx, job.job_id).result or {})
    first, second = results
    assert [len(lines) for lines in first["repaired"].values()] == [1]
    assert "1 USD of 1 requests where the ledger has 0 of 0" in first["repaired"]["org-2"][0]
    assert second == {"organizations": 2, "repaired": {}}
