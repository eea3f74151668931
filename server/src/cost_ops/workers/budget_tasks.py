"""The job that holds what is spent of budgets against the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.logs import logger
from cost_ops.services import budget_sums, organizations
from cost_ops.workers.workplace import Run

_MOST_TOLD = 50
_log = logger("cost_ops.jobs")


def verify(run: Run) -> Mapping[str, Any]:
    """Every organisation's budgets against its ledger; what is wrong is set right, and told."""
    differing: dict[str, list[str]] = {}
    known = organizations.list_organizations(run.ctx)
    for organization in known:
        run.go_on()
        for check in budget_sums.verify(run.ctx, organization.organization_id):
            if check.differences:
                differing[check.organization_id] = list(check.differences[:_MOST_TOLD])
                _log.warning(
                    "sums of budgets differed from the ledger and were repaired",
                    organization_id=check.organization_id,
                    differences=len(check.differences),
                )
    return {"organizations": len(known), "repaired": differing}
