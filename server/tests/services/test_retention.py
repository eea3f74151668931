"""What is old goes by the month, what tells of a person goes on demand, and rollups stay what the records add up to."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.retention import cut_month
from cost_ops.services import audit, corrections, costs, retention
from cost_ops.settings import load_settings
from tests.services.conftest import Desk

SPAN = TimeRange(datetime(2024, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
PERSON = "ada@example.org"


@pytest.fixture(params=["sqlite", "postgres"])
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Application]:
    """An installation of this test's own: retention concerns all of it."""
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path / 'ledger.db'}"
        migrate(url)
    else:
        url = request.getfixturevalue("postgres_database")
    opened = open_application(load_settings(environment={}, flags={"database.url": url}))
    yield opened
    opened.close()


def totals(desk: Desk, *group_by: str) -> list[tuple[Any, ...]]:
    found, truth = (
        costs.query(desk.ctx, desk.org, CostQuery(SPAN, group_by=group_by, from_records=slow)) for slow in (False, True)
    )
    assert (found.totals, found.rows) == (truth.totals, truth.rows)
    with desk.application.storage.ledger(desk.org) as ledger:
        assert ledger.costs.rollup_differences() == []
    rows = found.rows if group_by else found.totals
    return [(*row.group, format_e10(row.cost_e10), row.requests) for row in rows]


DAYS = ("2025-01-31", "2025-10-30", "2025-11-30", "2025-12-31", "2026-01-01", "2026-03-01", "2026-03-15")


def fill(desk: Desk) -> list[str]:
    desk.price()
    answers = desk.record(
        *(
            desk.submission(
                timestamp=f"{day}T10:00:00Z", user_id="u", project_id="p", tags={"day": day}, idempotency_key=day
            )
            for day in DAYS
        )
    )
    return [str(answer.usage_id) for answer in answers]


def test_everything_before_the_month_goes_and_the_sums_with_it(desk: Desk) -> None:
    ids = fill(desk)
    other = Desk(desk.application)
    fill(other)
    corrections.correct(desk.ctx, desk.org, ids[0], {"input_tokens": 7}, reason="r")
    corrections.correct(desk.ctx, desk.org, ids[-1], {"input_tokens": 2000}, reason="r")
    month = cut_month("3m", desk.now)
    foreseen = retention.apply(desk.ctx, month, dry_run=True)
    assert (foreseen.removed.usage_records, totals(desk)[0][-1]) == (6, 7)
    done = retention.apply(desk.ctx, month)
    assert done.months == foreseen.months
    assert (done.removed.usage_records, done.removed.cost_records, done.removed.usage_revisions, done.keys) == (
        6,
        1,
        1,
        6,
    )
    for one, cost in ((desk, "0.11"), (other, "0.1")):
        assert totals(one) == [(cost, 4)]
        assert [row[:1] + row[-1:] for row in totals(one, "user")] == [("u", 4)]
        assert len(totals(one, "tag:day")) == 4
        assert [row[0] for row in totals(one, "month")] == ["2025-12", "2026-01", "2026-03"]
    again = retention.apply(desk.ctx, month)
    assert (list(again.months), again.removed.usage_records, again.keys) == ([], 0, 0)


def test_a_week_that_the_cut_divides_keeps_its_later_days(desk: Desk) -> None:
    desk.price()
    days = ("2025-12-29", "2025-12-31", "2026-01-01", "2026-01-04", "2026-01-05")
    desk.record(*(desk.submission(timestamp=f"{day}T10:00:00Z", user_id="u") for day in days))
    retention.apply(desk.ctx, cut_month("2m", desk.now))
    span = TimeRange(datetime(2025, 12, 29, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC))
    (row,) = costs.query(desk.ctx, desk.org, CostQuery(span, group_by=("user",))).rows
    assert row.requests == 2
    assert totals(desk, "user") == [("u", "0.075", 3)]


def test_partitions_that_are_wholly_old_are_dropped(desk: Desk) -> None:
    fill(desk)
    removed = retention.apply(desk.ctx, cut_month("3m", desk.now)).removed
    on_postgres = desk.application.storage.status().engine == "postgresql"
    assert [name for name in removed.partitions if name.startswith("usage_records")] == (
        [f"usage_records_2025_{month}" for month in ("01", "10", "11")] if on_postgres else []
    )
    assert totals(desk) == [("0.1", 4)]


def test_old_usage_that_comes_again_under_its_key_is_refused_or_new_but_never_half_there(desk: Desk) -> None:
    fill(desk)
    with desk.application.storage.installation() as installation:
        installation.retention.remove_month(cut_month("3m", desk.now) - 1)
    again = desk.submission(
        timestamp="2025-01-31T10:00:00Z", user_id="u", project_id="p", tags={"day": DAYS[0]}, idempotency_key=DAYS[0]
    )
    (answer,) = desk.record(again)
    assert isinstance(answer, Conflict)
    assert totals(desk) == [("0.1", 4)]
    retention.apply(desk.ctx, cut_month("3m", desk.now))
    (answer,) = desk.record(again)
    assert not isinstance(answer, Conflict)
    assert totals(desk) == [("0.125", 5)]


def test_each_month_is_audited(desk: Desk) -> None:
    fill(desk)
    retention.apply(desk.ctx, cut_month("3m", desk.now))
    events, _ = audit.page(desk.ctx, None, audit.AuditQuery("retention.applied"))
    assert [(e.resource, (e.detail or {})["usage_records"]) for e in events] == [
        ("usage-of-2025-11", 1),
        ("usage-of-2025-10", 1),
        ("usage-of-2025-01", 1),
    ]


def test_only_the_owner_applies_retention_and_erases(desk: Desk) -> None:
    member = desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS)))
    with pytest.raises(Forbidden):
        retention.apply(member, 1)
    with pytest.raises(Forbidden):
        retention.erase(member, desk.org, PERSON)
    with pytest.raises(InvalidInput, match="organization_id"):
        retention.erase(desk.ctx, None, PERSON)


def of_ada(desk: Desk) -> list[str]:
    """Records of a person, one of them corrected, one of them given to somebody else later."""
    desk.price()
    answers = desk.record(
        *(
            desk.submission(
                timestamp=f"2026-0{month}-10T10:00:00Z",
                user_id=user,
                session_id="s",
                project_id="p",
                tags={"email": f"{user}.org", "env": "prod"},
                metadata={"name": "Ada"},
            )
            for month, user in ((1, PERSON), (2, PERSON), (3, PERSON), (3, "bob"))
        )
    )
    ids = [str(answer.usage_id) for answer in answers]
    corrections.correct(desk.ctx, desk.org, ids[0], {"input_tokens": 2000}, reason="r")
    corrections.correct(desk.ctx, desk.org, ids[1], {"user_id": "bob", "tags": {"env": "prod"}}, reason="r")
    return ids


def everything(desk: Desk) -> str:
    """All that the organisation's tables say, as text."""
    with desk.application.storage.ledger(desk.org) as ledger:
        records = list(ledger.usage.stream(start_us=None, end_us=None, filters=()))
    forms = [f.record for r in records for f in corrections.revisions(desk.ctx, desk.org, r.usage_id)]
    events = audit.page(desk.ctx, desk.org, audit.AuditQuery())[0]
    names = totals(desk, "user") + totals(desk, "tag:email")
    return json.dumps([records, forms, events, names], default=str)


def test_erasure_takes_a_person_out_and_leaves_the_amounts(desk: Desk) -> None:
    ids = of_ada(desk)
    before = totals(desk)
    foreseen = retention.erase(desk.ctx, desk.org, PERSON, tags=["email"], dry_run=True)
    assert (foreseen.records, foreseen.earlier_forms) == (2, 2)
    assert PERSON in everything(desk)
    done = retention.erase(desk.ctx, desk.org, PERSON, tags=["email"])
    assert (done.records, done.earlier_forms) == (2, 2)
    assert totals(desk) == before == [("0.11", 4)]
    assert totals(desk, "user") == [(None, "0.06", 2), ("bob", "0.05", 2)]
    assert PERSON not in everything(desk)
    with desk.application.storage.ledger(desk.org) as ledger:
        kept = {r.usage_id: r for r in ledger.usage.stream(start_us=None, end_us=None, filters=())}
    bare, bob = kept[ids[0]], kept[ids[3]]
    assert (bare.user_id, bare.session_id, bare.metadata, bare.tags, bare.project_id) == (
        None,
        None,
        {},
        {"env": "prod"},
        "p",
    )
    assert (bob.user_id, bob.session_id, bob.metadata) == ("bob", "s", {"name": "Ada"})
    assert retention.erase(desk.ctx, desk.org, PERSON).records == 0


def test_the_event_of_an_erasure_does_not_name_the_person(desk: Desk) -> None:
    of_ada(desk)
    retention.erase(desk.ctx, desk.org, PERSON, tags=["email"])
    (event,) = audit.page(desk.ctx, desk.org, audit.AuditQuery("usage.erased"))[0]
    assert event.detail == {"records": 2, "earlier_forms": 2, "tags": ["email"]}


def test_usage_after_an_erasure_is_the_persons_again_wherever_it_is_recorded(desk: Desk) -> None:
    """Another process still remembers the number of a name that is gone."""
    of_ada(desk)
    elsewhere = open_application(desk.application.settings)
    try:
        other = Desk.__new__(Desk)
        other.application, other.now, other.org = elsewhere, desk.now, desk.org
        other.record(other.submission(timestamp="2026-03-11T10:00:00Z", user_id=PERSON))
        retention.erase(desk.ctx, desk.org, PERSON)
        other.record(other.submission(timestamp="2026-03-12T10:00:00Z", user_id=PERSON))
    finally:
        elsewhere.close()
    assert (PERSON, "0.025", 1) in totals(desk, "user")
    retention.erase(desk.ctx, desk.org, PERSON)
    assert PERSON not in {row[0] for row in totals(desk, "user")}
