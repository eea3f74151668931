"""Answers from rollups equal answers from records, whatever was recorded, corrected and asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_ops.domain.costs import Filter, SummedRow
from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.periods import DAY_US, HOUR_US, Granularity, TimeRange, buckets, from_us, to_us
from cost_ops.domain.rollups import CUBES, Cube, Grain, Window, cubes_for, fold, plan
from cost_ops.interfaces.storage import Correction, Ledger, Storage
from cost_ops.storage.sql import rollups
from tests.storage.builders import NOON, NOW, moves, new, organize, store

HOURS, DAYS, MONTHS = CUBES[:3]
_MARCH = to_us(datetime(2025, 3, 1, tzinfo=UTC))
_JUNE = to_us(datetime(2025, 6, 1, tzinfo=UTC))
_ZONES = ("UTC", "Asia/Kathmandu", "Europe/Berlin", "America/St_Johns")


def combined(rows: Iterable[SummedRow]) -> dict[Any, tuple[int, ...]]:
    """Rows by slot, values, currency and status; each may occur once per read of a plan."""
    found: dict[Any, Any] = {}
    for slot, values, currency, status, measures in rows:
        key = (slot, values, currency, status)
        if key in found:
            found[key].add(measures)
        else:
            found[key] = measures
    return {key: sums.astuple() for key, sums in found.items() if any(sums.astuple())}


def from_rollups(
    ledger: Ledger, slots: Sequence[tuple[int, int]], dimensions: Sequence[str], filters: Sequence[Filter] = ()
) -> dict[Any, tuple[int, ...]]:
    asked = [*dimensions, *(f.dimension for f in filters)]
    rows: list[SummedRow] = []
    for read in plan(slots, cubes_for(asked)):
        if read.cube is None:
            rows += ledger.costs.sum_records(read.windows, dimensions, filters)
        else:
            rows += _distinct(ledger.costs.sum_cube(read.cube, read.windows, dimensions, filters))
    return combined(rows)


def _distinct(rows: Iterable[SummedRow]) -> list[SummedRow]:
    found = list(rows)
    assert not [key for key, times in Counter(row[:4] for row in found).items() if times > 1]
    return found


def from_records(
    ledger: Ledger, slots: Sequence[tuple[int, int]], dimensions: Sequence[str], filters: Sequence[Filter] = ()
) -> dict[Any, tuple[int, ...]]:
    windows = [Window(start, end, slot) for slot, (start, end) in enumerate(slots)]
    return combined(_distinct(ledger.costs.sum_records(windows, dimensions, filters)))


_edges = st.sampled_from([-1, 0, 1, 899_999_999, 900_000_000, 3_599_999_999]).flatmap(
    lambda micro: st.integers(0, 92 * 24).map(lambda hour: _MARCH + hour * HOUR_US + micro)
)
_names = st.sampled_from([None, "a", "b", "Ä%_b"])
_records = st.fixed_dictionaries(
    {
        "at": _edges | st.integers(_MARCH, _JUNE - 1),
        "provider": st.sampled_from(["openai", "google"]),
        "model_id": st.sampled_from(["m1", "m2"]),
        "cost": st.none() | st.integers(0, 10**17),
        "currency": st.sampled_from(["USD", "EUR"]),
        "quantities": st.fixed_dictionaries(
            {"input": st.integers(1, 10**6)},
            optional={"input_cache_read": st.integers(1, 10**12), "output_audio": st.integers(1, 99)},
        ),
        "project_id": _names,
        "user_id": _names,
        "team_id": _names,
        "tags": st.none()
        | st.dictionaries(st.sampled_from(["k", "l'\""]), st.sampled_from(["x", "y", ""]), min_size=1),
    }
)
_corrections = st.lists(
    st.tuples(st.integers(0, 10**6), st.none() | st.integers(0, 10**17), st.sampled_from(["USD", "GBP"])), max_size=12
)
_operators = st.sampled_from(["eq", "ne", "in", "not_in", "contains", "starts_with"])
_filters = st.builds(
    Filter,
    st.sampled_from(["provider", "model", "project", "user", "team", "status", "currency", "tag:k"]),
    _operators,
    st.lists(
        st.sampled_from(["a", "A", "ä%", "%", "openai", "o", "m1", "USD", "unpriced", "x", ""]), min_size=1, max_size=2
    ).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    records=st.lists(_records, max_size=40),
    corrections=_corrections,
    zone=st.sampled_from(_ZONES),
    granularity=st.sampled_from(Granularity),
    days=st.tuples(st.integers(0, 80), st.integers(1, 12)),
    dimensions=st.lists(
        st.sampled_from(["provider", "model", "project", "user", "team", "status", "currency"]), unique=True, max_size=3
    ),
    filters=st.lists(_filters, max_size=2),
)
def test_rollups_say_what_records_say(
    storage: Storage,
    records: list[dict[str, Any]],
    corrections: list[tuple[int, int | None, str]],
    zone: str,
    granularity: Granularity,
    days: tuple[int, int],
    dimensions: list[str],
    filters: list[Filter],
) -> None:
    organization_id = f"org-{uuid4().hex[:12]}"
    organize(storage, organization_id)
    store(storage, [new(organization_id, **fields) for fields in records])
    for place, cost, currency in corrections:
        correct(storage, organization_id, place, cost, currency)
    start = from_us(_MARCH + days[0] * DAY_US + 5 * 900_000_000)
    span = TimeRange(start, from_us(to_us(start) + days[1] * DAY_US + 1))
    slots = [(b.start_us, b.end_us) for b in buckets(span, granularity, ZoneInfo(zone))]
    with storage.ledger(organization_id) as ledger:
        for asked in ([], dimensions, ["user"], ["project", "model"]):
            assert from_rollups(ledger, slots, asked) == from_records(ledger, slots, asked)
        assert from_rollups(ledger, slots, dimensions, filters) == from_records(ledger, slots, dimensions, filters)
        assert with_tag(from_rollups(ledger, slots, ["tag:l'\"", "currency"])) == with_tag(
            from_records(ledger, slots, ["tag:l'\"", "currency"])
        )
        assert ledger.costs.rollup_differences() == []
        whole = [(_MARCH - DAY_US, _JUNE + DAY_US)]
        before = from_rollups(ledger, whole, ["provider", "model"])
        ledger.costs.rebuild_rollups()
        assert ledger.costs.rollup_differences() == []
        assert from_rollups(ledger, whole, ["provider", "model"]) == before


def with_tag(rows: dict[Any, tuple[int, ...]]) -> dict[Any, tuple[int, ...]]:
    """A tag's cube knows only the records that have the tag."""
    return {key: sums for key, sums in rows.items() if key[1][0] is not None}


def correct(storage: Storage, organization_id: str, place: int, cost: int | None, currency: str) -> None:
    with storage.ledger(organization_id) as ledger:
        found = ledger.usage.page(start_us=None, end_us=None, filters=[], limit=100)
        if not found:
            return
        record = found[place % len(found)]
        status = "unpriced" if cost is None else "invoiced"
        priced_in = None if cost is None else currency
        at, uid = place_of(record.usage_id)
        ledger.costs.correct([Correction(at, uid, status, priced_in, cost, None, "test")], NOW)
        ledger.costs.fold(moves(record, currency=priced_in, status=status, cost=cost))


def place_of(usage_id: str) -> tuple[int, int]:
    from cost_ops.domain.identity import parse_usage_id

    return parse_usage_id(usage_id)


def test_filters_mean_the_same_in_the_database(storage: Storage) -> None:
    organize(storage, "acme")
    values = [None, "a", "Abc", "100%", "a_b", "xäöx", "ÄÖ"]
    store(
        storage,
        [
            new(project_id=v, team_id=v, tags=None if v is None else {"env": v}, at=NOON - n)
            for n, v in enumerate(values)
        ],
    )
    everything = [Window(NOON - DAY_US, NOON + DAY_US, 0)]
    asked = product(
        ("project", "team", "tag:env"),
        ("eq", "ne", "in", "not_in", "contains", "starts_with"),
        ("a", "A", "%", "_", "ÄÖ", "äö", "", "absent"),
    )
    with storage.ledger("acme") as ledger:
        for dimension, operator, value in asked:
            wanted = Filter(dimension, operator, (value,))
            page = ledger.usage.page(start_us=None, end_us=None, filters=[wanted], limit=99)
            assert [r.project_id for r in page] == [v for v in values if wanted.matches(v)], wanted
            sums = ledger.costs.sum_records(everything, [dimension], [wanted])
            assert {r.values[0] for r in sums} == {v for v in values if wanted.matches(v)}, wanted


def test_windows_of_any_shape_are_summed(storage: Storage) -> None:
    organize(storage, "acme")
    first = NOON // DAY_US
    store(storage, [new(at=NOON + day * DAY_US, cost=10**day, model_id=f"m{day % 2}") for day in range(10)])
    cases: dict[str, tuple[list[Window], list[int]]] = {
        "one": ([Window(first, first + 3, 4)], [111]),
        "days": ([Window(first + d, first + d + 1, d) for d in range(10)], [10**d for d in range(10)]),
        "gaps": ([Window(first + d, first + d + 1, d) for d in (0, 2, 3)], [1, 100, 1000]),
        "far": ([Window(first + d, first + d + 1, d) for d in (0, 9)], [1, 10**9]),
        "weeks": ([Window(first + d, first + d + 5, d // 5) for d in (0, 5)], [11111, 1111100000]),
        "one slot": ([Window(first, first + 1, 0), Window(first + 5, first + 6, 0)], [100001]),
        "before": ([Window(0, 5, 0)], []),
        "none": ([], []),
    }
    with storage.ledger("acme") as ledger:
        for name, (windows, amounts) in cases.items():
            rows = _distinct(ledger.costs.sum_cube(DAYS, windows, [], []))
            assert [r.measures.cost_e10 for r in sorted(rows)] == amounts, name
            assert {r.slot for r in rows} <= {w.slot for w in windows}
        by_model = list(ledger.costs.sum_cube(DAYS, [Window(first, first + 10, 0)], ["model", "provider"], []))
        assert sorted(r.values for r in by_model) == [("m0", "openai"), ("m1", "openai")]


def test_a_million_small_costs_add_up_exactly(storage: Storage) -> None:
    organize(storage, "acme")
    one = 139_578  # 0.0000139578
    times = 400
    for batch in range(3):
        store(storage, [new(cost=one, at=NOON + batch) for _ in range(times)])
    slots = [(NOON - HOUR_US, NOON + HOUR_US)]
    with storage.ledger("acme") as ledger:
        [total] = from_rollups(ledger, slots, []).values()
        assert total[4] == 3 * times * one
        assert from_records(ledger, slots, []) == from_rollups(ledger, slots, [])


def test_sums_beyond_64_bits_are_an_error_and_never_wrong(storage: Storage) -> None:
    organize(storage, "acme")
    large = 2**62
    store(storage, [new(cost=large)])
    store(storage, [new(cost=large, at=NOON - 40 * DAY_US)])
    windows = [Window(NOON // DAY_US - 60, NOON // DAY_US + 1, 0)]
    with pytest.raises(Conflict, match="out of range"), storage.ledger("acme") as ledger:
        list(ledger.costs.sum_cube(DAYS, windows, [], []))


def test_a_rollup_cannot_overflow(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(cost=2**62)])
    with pytest.raises(Conflict, match="out of range"):
        store(storage, [new(cost=2**62)])
    with storage.ledger("acme") as ledger:
        assert ledger.costs.rollup_differences() == []


def test_a_correction_supersedes_and_is_kept(storage: Storage) -> None:
    organize(storage, "acme")
    [stored] = store(storage, [new(cost=500)])
    correct(storage, "acme", 0, 700, "EUR")
    correct(storage, "acme", 0, None, "EUR")
    correct(storage, "acme", 0, 900, "EUR")
    with storage.ledger("acme") as ledger:
        found = ledger.usage.get(NOON, stored.uid)
        assert found is not None
        assert (found.status, found.currency, found.cost_e10) == ("invoiced", "EUR", 900)
        assert ledger.costs.rollup_differences() == []
        slots = [(NOON, NOON + 1)]
        assert from_records(ledger, slots, ["status"]) == {(0, ("invoiced",), "EUR", "invoiced"): (1, 100, 10, 0, 900)}


def test_only_one_of_two_corrections_of_the_same_state_stands(storage: Storage) -> None:
    organize(storage, "acme")
    [stored] = store(storage, [new()])
    wanted = Correction(NOON, stored.uid, "invoiced", "USD", 5, None, "second")

    def correct_what_has_moved_on() -> None:
        with storage.ledger("acme") as slow:
            assert slow.usage.get(NOON, stored.uid) is not None
            correct(storage, "acme", 0, 7, "USD")
            slow.costs.correct([wanted], NOW)

    with pytest.raises(Conflict):
        correct_what_has_moved_on()
    with storage.ledger("acme") as ledger:
        found = ledger.usage.get(NOON, stored.uid)
        assert found is not None
        assert found.cost_e10 == 7


def test_a_correction_of_nothing_is_refused(storage: Storage) -> None:
    organize(storage, "acme")
    with pytest.raises(NotFound), storage.ledger("acme") as ledger:
        ledger.costs.correct([Correction(NOON, 5, "invoiced", "USD", 5, None, "no such")], NOW)


def test_a_wrong_rollup_is_found_and_mended(storage: Storage) -> None:
    organize(storage, "acme")
    stored = store(storage, [new(user_id="u", tags={"env": "prod"}), new(at=NOON + 40 * DAY_US)])
    with storage.ledger("acme") as ledger:
        tx: Any = vars(ledger)["_tx"]
        rollups.add(tx, {key: sums for key, sums in fold(moves_of(stored)).items() if key[1] == 6})
    with storage.ledger("acme") as ledger:
        found = ledger.costs.rollup_differences()
        assert any("of user" in line and "'u'" in line for line in found)
        assert any(line.startswith("month") for line in found)
        ledger.costs.rebuild_rollups()
        assert ledger.costs.rollup_differences() == []


def moves_of(stored: Any) -> Any:
    from tests.storage.builders import contribution

    return map(contribution, stored)


def test_newest_and_oldest(storage: Storage) -> None:
    organize(storage, "acme")
    with storage.ledger("acme") as ledger:
        assert (ledger.costs.newest_us(), ledger.costs.oldest_us()) == (None, None)
    store(storage, [new(at=NOON), new(at=NOON - 70 * DAY_US), new(at=NOON + 70 * DAY_US)])
    with storage.ledger("acme") as ledger:
        assert (ledger.costs.newest_us(), ledger.costs.oldest_us()) == (NOON + 70 * DAY_US, NOON - 70 * DAY_US)


@pytest.mark.parametrize("cube", CUBES, ids=lambda c: str(c.code))
def test_every_cube_answers(storage: Storage, cube: Cube) -> None:
    organize(storage, "acme")
    store(storage, [new(user_id="u", project_id=None, tags={"env": "prod", "team": "x"}, cost=5)])
    dimension = {"tag": "tag:env", None: "provider"}.get(cube.dimension, cube.dimension)
    assert dimension is not None
    end = {Grain.HOUR: 10**6, Grain.DAY: 10**5, Grain.WEEK: 10**5, Grain.MONTH: 10**5}[cube.grain]
    with storage.ledger("acme") as ledger:
        [row] = ledger.costs.sum_cube(cube, [Window(0, end, 3)], [dimension, "currency", "status"], [])
    value = {"project": None, "user": "u", "tag": "prod", None: "openai"}[cube.dimension]
    assert row[:4] == (3, (value, "USD", "computed"), "USD", "computed")
    assert row.measures.astuple() == (1, 100, 10, 0, 5)
