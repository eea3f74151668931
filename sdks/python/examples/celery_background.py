"""Large questions are asked in the background: a Celery task that writes a month's costs to a file.

    pip install ./sdks/python celery
    celery -A celery_background worker           # with a broker: CELERY_BROKER_URL=redis://…
    python celery_background.py 2026-10          # asks the worker; without a broker it does the work itself

Reads COST_OPS_API_URL, COST_OPS_API_KEY, CELERY_BROKER_URL and EXPORT_FOLDER.
"""

import csv
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

from celery import Celery

from llm_cost_ops import CostOpsClient

BROKER = os.environ.get("CELERY_BROKER_URL", "memory://")
celery = Celery("costs", broker=BROKER)
celery.conf.task_always_eager = BROKER == "memory://"


@celery.task(autoretry_for=(ConnectionError,), retry_backoff=True, max_retries=5)
def export_monthly_costs(month: str) -> str:
    """Write `costs-2026-10.csv`, one line for each project and model, and return where it is."""
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=timezone.utc)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    with CostOpsClient() as client:  # made here: a worker forks, and each of its processes has its own
        costs = client.costs.get(start_date=start, end_date=end, group_by=["project", "model"])
    file = Path(os.environ.get("EXPORT_FOLDER", ".")) / f"costs-{month}.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        lines = csv.writer(out)
        lines.writerow(["project", "model", "requests", "cost", "currency"])
        lines.writerows([row.project, row.model, row.requests, row.cost, row.currency] for row in costs.breakdown)
    return str(file)


if __name__ == "__main__":
    started = export_monthly_costs.delay(sys.argv[1])
    print(started.get() if celery.conf.task_always_eager else f"asked a worker: {started.id}")
