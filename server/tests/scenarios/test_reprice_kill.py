"""A re-pricing that is killed in the middle, several times over, ends as one that was not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cost_ops.bootstrap import Application, migrate
from cost_ops.domain.access import OWNER
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.reprice_runs import RepriceRequest, RunStatus
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.services import costs, organizations, pricing, repricing, usage
from tests.scenarios import reprice_kill
from tests.scenarios.running_ledger import open_ledger

ORGANIZATION, RECORDS = "org-1", 1_000
START = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = TimeRange(START, datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    migrate(url := f"sqlite:{tmp_path / 'ledger.db'}")
    return url


@pytest.fixture
def application(url: str) -> Iterator[Application]:
    opened = open_ledger(url)
    yield opened
    opened.close()


def fill(application: Application) -> None:
    """A thousand records over four months at the first of two prices."""
    ctx = application.context(OWNER)
    organizations.ensure(ctx, ORGANIZATION)
    add(application, "1", None)
    book = application.books.refresh()
    items = []
    for n in range(RECORDS):
        at = START + timedelta(hours=3 * n % 2_880, seconds=n)
        fields = {
            "organization_id": ORGANIZATION,
            "provider": "openai",
            "model_id": "m",
            "input_tokens": n + 1,
            "output_tokens": 7,
            "timestamp": at,
            "user_id": f"u{n % 13}",
            "project_id": f"p{n % 3}",
            "tags": {"env": str(n % 2)},
        }
        sent, problems = read_fields(fields)
        items.append(usage.price(ctx, book, build(sent, Intake(book.names, 2**51), problems)))
    usage.record(ctx, [usage.Batch(items)])
    add(application, "2.5", START + timedelta(days=10))


def add(application: Application, per_1k: str, since: datetime | None) -> None:
    rates = rates_from_fields({"input_price_per_1k": per_1k, "output_price_per_1k": per_1k})
    ctx = application.context(OWNER)
    pricing.add(ctx, ORGANIZATION, pricing.NewPrice("openai", "m", rates, effective_from=since))


def test_a_killed_run_is_resumed_and_ends_with_the_same_sums(application: Application, url: str) -> None:
    fill(application)
    ctx, request = application.context(OWNER), RepriceRequest(SPAN)
    expected = repricing.dry_run(ctx, ORGANIZATION, request).tally
    run = repricing.start(ctx, ORGANIZATION, request)
    assert reprice_kill.kill_until_done(url, ORGANIZATION, run.number) >= 2
    done = repricing.get(ctx, ORGANIZATION, run.number)
    assert (done.status, done.tally) == (RunStatus.FINISHED, expected)
    assert expected.changed > RECORDS // 2
    for group_by in ((), ("user",), ("project", "month"), ("tag:env",)):
        quick = costs.query(ctx, ORGANIZATION, CostQuery(SPAN, group_by=group_by))
        truth = costs.query(ctx, ORGANIZATION, CostQuery(SPAN, group_by=group_by, from_records=True))
        assert (quick.totals, quick.rows) == (truth.totals, truth.rows)
        assert sum(total.cost_e10 for total in quick.totals) == expected.after_e10["USD"]
    with application.storage.ledger(ORGANIZATION) as ledger:
        assert ledger.costs.rollup_differences() == []
    assert repricing.dry_run(ctx, ORGANIZATION, request).tally.changed == 0
