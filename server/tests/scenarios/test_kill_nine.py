"""A short run of the kill -9 scenario on each database; the long one is `python -m tests.scenarios.kill_nine`."""

import pytest

from tests.scenarios import kill_nine


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_acknowledged_survives_kill_nine_once(database):
    outcomes = list(kill_nine.run(database, kills=2))
    assert len(outcomes) == 3
    assert all(outcome.well for outcome in outcomes), outcomes
    assert outcomes[-1].acknowledged == outcomes[-1].stored > 0
