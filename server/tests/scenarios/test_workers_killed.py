"""A short run of the killed workers on each database; the long one is `python -m tests.scenarios.worker_kills`."""

from collections.abc import Callable

import pytest

from tests.scenarios import worker_kills


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_jobs_survive_workers_that_are_killed_and_none_is_done_twice(
    database: str, record_property: Callable[[str, object], None]
) -> None:
    found = worker_kills.run(database, kills=3, jobs=60)
    record_property("says", f"workers killed on {database}: {found}")
    assert found.well, found
    assert found.bound_effects == 30
    assert found.ticks > 0
