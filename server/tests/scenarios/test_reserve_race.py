"""The race for a budget, small: two processes, sixty callers, three dollars."""

from pathlib import Path

import pytest

from tests.scenarios import reserve_race


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_callers_of_two_processes_share_a_budget_exactly(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    url = f"sqlite:{tmp_path / 'race.db'}" if engine == "sqlite" else request.getfixturevalue("postgres_database")
    reserve_race.prepare(url, limit=3)
    found = reserve_race.measure(url, processes=2, callers=60, call_seconds=0.05, seconds=60, limit=3)
    assert found["overshoot_e10"] == 0
    assert found["refused_with_room"] == 0
    assert found["errors"] == 0
    assert found["held_e10"] == 0
    assert found["ledger_agrees"]
    assert found["granted"] >= 30
    assert 0 <= 3 * 10**10 - found["spent_e10"] < reserve_race.LEASE_E10
