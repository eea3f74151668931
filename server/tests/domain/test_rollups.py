"""A plan covers a range exactly, and cubes hold what records add up to."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.periods import to_us
from cost_ops.domain.rollups import (
    CUBE_OF_CODE,
    CUBES,
    Contribution,
    Measures,
    Series,
    bucket_of,
    bucket_start_us,
    cubes_for,
    fold,
    month_start_us,
    plan,
)

START = to_us(datetime(2024, 1, 1, tzinfo=UTC))
DAY = 86_400_000_000
stretches = st.tuples(st.integers(0, 800 * DAY), st.integers(1, 400 * DAY))
dimension_sets = st.sampled_from([(), ("model",), ("project", "provider"), ("user",), ("tag:team",), ("team",)])


@given(st.lists(stretches, min_size=1, max_size=4), dimension_sets)
def test_a_plan_covers_every_slot_without_gap_or_overlap(
    found: list[tuple[int, int]], dimensions: tuple[str, ...]
) -> None:
    slots = [(START + begin, START + begin + length) for begin, length in found]
    pieces: dict[int, list[tuple[int, int]]] = {}
    for read in plan(slots, cubes_for(dimensions)):
        for window in read.windows:
            span = (window.start, window.end)
            if read.cube is not None:
                span = (bucket_start_us(read.cube.grain, window.start), bucket_start_us(read.cube.grain, window.end))
            pieces.setdefault(window.slot, []).append(span)
    for slot, (start, end) in enumerate(slots):
        ordered = sorted(pieces[slot])
        assert (ordered[0][0], ordered[-1][1]) == (start, end)
        assert all(a[1] == b[0] for a, b in itertools.pairwise(ordered))


def test_whole_months_come_from_months_and_edges_from_finer_grains() -> None:
    begin = to_us(datetime(2025, 1, 30, 23, 30, tzinfo=UTC))
    end = to_us(datetime(2025, 4, 1, tzinfo=UTC))
    grains = {
        r.cube.grain.value if r.cube else "records": len(r.windows) for r in plan([(begin, end)], cubes_for(["model"]))
    }
    assert grains == {"month": 1, "day": 1, "records": 1}


def test_rare_or_mixed_dimensions_come_from_records() -> None:
    assert cubes_for(["team"]) == cubes_for(["user", "model"]) == cubes_for(["user", "project"]) == ()
    assert cubes_for(["tag:a", "tag:b"]) == ()
    assert {c.dimension for c in cubes_for(["project", "model", "status"])} == {"project"}


records = st.builds(
    Contribution,
    st.sampled_from(["a", "b"]),
    st.integers(START, START + 100 * DAY),
    st.builds(
        Series, st.sampled_from(["p", "q"]), st.sampled_from(["m", "n"]), st.just("USD"), st.sampled_from(["computed"])
    ),
    st.builds(Measures, st.just(1), st.integers(0, 99), st.integers(0, 99), st.integers(0, 9), st.integers(0, 10**12)),
    st.sampled_from([None, "x", "y"]),
    st.sampled_from([None, "u"]),
    st.sampled_from([None, {"k": "v"}, {"k": "w", "l": "v"}]),
)


@given(st.lists(records, max_size=30))
def test_every_cube_without_a_tag_holds_every_record_once(found: list[Contribution]) -> None:
    sums = fold(found)
    for cube in CUBES:
        if cube.dimension == "tag":
            continue
        rows = [m for key, m in sums.items() if key[1] == cube.code]
        assert sum(m.requests for m in rows) == len(found)
        assert sum(m.cost_e10 for m in rows) == sum(c.measures.cost_e10 for c in found)


@given(st.lists(records, max_size=20), st.randoms())
def test_order_and_splitting_of_batches_change_nothing(found: list[Contribution], shuffle: object) -> None:
    whole = fold(found)
    mixed = list(found)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    parts: dict[object, Measures] = {}
    for start in range(0, len(mixed), 7):
        for key, sums in fold(mixed[start : start + 7]).items():
            parts.setdefault(key, Measures()).add(sums)
    assert parts == whole


def test_taking_away_what_was_added_leaves_nothing() -> None:
    plus = Contribution("a", START, Series("p", "m", "USD", "computed"), Measures(1, 2, 3, 1, 4), None, "u", {"k": "v"})
    minus = plus._replace(measures=Measures(-1, -2, -3, -1, -4))
    assert fold([plus, minus]) == {}


@given(st.integers(START, START + 3000 * DAY), st.sampled_from(CUBES))
def test_a_bucket_holds_the_instants_from_its_start_to_the_next(instant: int, cube: object) -> None:
    grain = cube.grain  # type: ignore[attr-defined]
    bucket = bucket_of(grain, instant)
    assert bucket_start_us(grain, bucket) <= instant < bucket_start_us(grain, bucket + 1)


def test_months_are_counted_from_year_zero() -> None:
    assert month_start_us(2025 * 12) == to_us(datetime(2025, 1, 1, tzinfo=UTC))
    assert CUBE_OF_CODE[3].grain == "month"
    assert timedelta(microseconds=month_start_us(2025 * 12 + 1) - month_start_us(2025 * 12)).days == 31
