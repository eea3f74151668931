"""What each kind of job does.

A new one is a line in `domain.jobs.KINDS` and one in `TASKS`; a new pump is one in `PUMPS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cost_ops.bootstrap import sync_catalogue
from cost_ops.domain.jobs import KINDS
from cost_ops.domain.retention import cut_month_of_days, month_name
from cost_ops.logs import logger
from cost_ops.services import organizations, pricing, retention, upkeep
from cost_ops.workers import alert_tasks, budget_tasks, notifying
from cost_ops.workers.workplace import Pump, Run, Task, Trade

PARTITION_MONTHS = 3
_MOST_TOLD = 50
_log = logger("cost_ops.jobs")


def make_partitions(run: Run) -> Mapping[str, Any]:
    """Partitions of the next months."""
    return {"made": upkeep.make_partitions(run.ctx, PARTITION_MONTHS)}


def sync_prices(run: Run) -> Mapping[str, Any]:
    """New prices of the installed catalogue. An installation without published prices did without on purpose."""
    if not pricing.catalogue_timelines(run.ctx):
        return {"skipped": "no published prices here; `cost-ops pricing sync-latest` imports them for the first time"}
    found = sync_catalogue(run.application, run.ctx)
    plan = found.plan
    return {"added": len(plan.added_rows), "ended": len(plan.ended), "priced_records": found.priced_records}


def verify_rollups(run: Run) -> Mapping[str, Any]:
    """Every organisation's sums against its records; what is wrong is summed anew, and told."""
    differing: dict[str, list[str]] = {}
    known = organizations.list_organizations(run.ctx)
    for organization in known:
        run.go_on()
        for check in upkeep.check_rollups(run.ctx, organization.organization_id, repair=True):
            if check.differences:
                differing[check.organization_id] = list(check.differences[:_MOST_TOLD])
                _log.warning(
                    "sums differed from the records and were repaired",
                    organization_id=check.organization_id,
                    differences=len(check.differences),
                )
    return {"organizations": len(known), "repaired": differing}


def apply_retention(run: Run) -> Mapping[str, Any]:
    """Usage that is older than it is to be kept."""
    days = run.application.settings.retention.usage_days
    if not days:
        return {"skipped": "usage is kept for ever: [retention] usage_days is 0"}
    month = cut_month_of_days(days, run.workplace.now)
    outcome = retention.apply(run.ctx, month, watch=lambda *_: run.go_on())
    return {"kept_from": month_name(month), "usage_records": outcome.removed.usage_records, "keys": outcome.keys}


def prune_jobs(run: Run) -> Mapping[str, Any]:
    """Jobs that ended long ago."""
    now = run.workplace.now
    before = now - timedelta(days=run.application.settings.jobs.keep_days)
    with run.ctx.storage.installation() as installation:
        return {"forgotten": installation.jobs.prune(before, now)}


TASKS: Mapping[str, Task] = {
    "partitions.make": make_partitions,
    "prices.sync": sync_prices,
    "rollups.verify": verify_rollups,
    "budgets.verify": budget_tasks.verify,
    "retention.apply": apply_retention,
    "alerts.evaluate": alert_tasks.evaluate,
    "alerts.sweep": alert_tasks.sweep,
    "alerts.escalate": alert_tasks.escalate,
    "leases.expire": alert_tasks.expire_leases,
    "channels.disabled": notifying.tell_disabled,
    "deliveries.prune": notifying.prune_deliveries,
    "jobs.prune": prune_jobs,
}
"""Kind of job → what does it."""

PUMPS: tuple[Pump, ...] = notifying.PUMPS
"""What is done as it comes."""

TRADE = Trade(KINDS, TASKS, PUMPS)
"""Everything that this program can do in the background."""
