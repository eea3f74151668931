"""Events survive whoever hands them on or delivers them being killed: none is lost, none is told under two ids."""

from pathlib import Path

import pytest

from cost_ops.bootstrap import migrate
from tests.scenarios import outbox_kills

EVENTS, KILLS, DELIVERED = 4_000, 3, 60


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    migrate(url := f"sqlite:{tmp_path / 'ledger.db'}")
    return url


def test_no_event_is_lost_or_doubled_when_workers_are_killed(url: str) -> None:
    found = outbox_kills.run(url, events=EVENTS, kills=KILLS, deliver=DELIVERED, batch=50)
    assert (found.handed_on, found.lost, found.doubled) == (EVENTS, 0, 0)
    assert (found.delivered, found.undelivered, found.ids) == (DELIVERED, 0, DELIVERED)
    assert found.twice <= found.kills
    assert found.kills == 2 * KILLS
