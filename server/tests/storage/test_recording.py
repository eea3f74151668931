"""Recording usage: what goes in comes out, once."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_ops.domain.errors import Conflict, NotFound
from cost_ops.domain.identity import key_hash, usage_id
from cost_ops.domain.meters import METERS, TOKEN_METERS
from cost_ops.domain.periods import from_us
from cost_ops.domain.prices import default_price
from cost_ops.domain.rates import per_million
from cost_ops.domain.usage import MAX_TOKENS
from cost_ops.interfaces.recording import Claim, Lost
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOON, NOW, contribution, new, organize, refs, store


def test_a_record_comes_back_as_it_was_stored(storage: Storage) -> None:
    organize(storage, "acme")
    [stored] = store(
        storage,
        [
            new(
                key="k",
                cost=123_456,
                status="estimated",
                currency="EUR",
                estimated=True,
                quantities={"input": 70, "input_cache_read": 20, "input_cache_write_5m": 10, "output_reasoning": 5},
                project_id="p",
                user_id="u",
                team_id="t",
                session_id="s",
                api_key_id="a",
                service_tier="flex",
                processing="batch",
                region="eu",
                latency_ms=2**31 - 1,
                reported_cost_e10=99,
                tags={"env": "prod", 'we"ird.$ key': "v\\'\"é漢"},
                metadata={"nested": {"a": [1, 2.5, None, True]}, "text": "ü"},
            )
        ],
    )
    with storage.ledger("acme") as ledger:
        found = ledger.usage.get(NOON, stored.uid)
    assert found is not None
    s = stored.submission
    assert found.usage_id == usage_id(NOON, stored.uid)
    assert (found.timestamp, found.received_at) == (from_us(NOON), from_us(s.received_us))
    assert (found.status, found.currency, found.cost_e10, found.price_id) == ("estimated", "EUR", 123_456, 1)
    assert found.estimated
    for name in ("organization_id", "provider", "model_id", "quantities", "project_id", "user_id", "team_id"):
        assert getattr(found, name) == getattr(s, name)
    for name in ("session_id", "api_key_id", "service_tier", "processing", "region", "latency_ms", "tags", "metadata"):
        assert getattr(found, name) == getattr(s, name)
    assert found.reported_cost_e10 == 99


def test_absent_fields_come_back_absent(storage: Storage) -> None:
    organize(storage, "acme")
    [stored] = store(storage, [new(cost=None)])
    with storage.ledger("acme") as ledger:
        found = ledger.usage.get(NOON, stored.uid)
    assert found is not None
    assert (found.status, found.currency, found.cost_e10, found.price_id) == ("unpriced", None, None, None)
    assert (found.project_id, found.latency_ms, found.estimated, found.tags, found.metadata) == (
        None,
        None,
        False,
        {},
        {},
    )


_tokens = st.integers(1, MAX_TOKENS)
_decimals = st.decimals(min_value=0, max_value=10**6, places=9).filter(bool)
_quantities = st.dictionaries(st.sampled_from(sorted(METERS)), _tokens, min_size=1, max_size=6).flatmap(
    lambda q: st.fixed_dictionaries(
        {meter: st.just(value) if meter in TOKEN_METERS else st.just(value) | _decimals for meter, value in q.items()}
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(quantities=_quantities)
def test_quantities_come_back_exactly(storage: Storage, quantities: dict[str, int | Decimal]) -> None:
    organize(storage, "acme")
    [stored] = store(storage, [new(quantities=quantities)])
    with storage.recorder() as recorder:
        [found] = recorder.get("acme", refs([stored]))
    assert found.quantities == quantities
    assert {m: type(q) for m, q in found.quantities.items()} == {m: type(q) for m, q in quantities.items()}


def test_a_key_leads_to_its_record(storage: Storage) -> None:
    organize(storage, "acme", "other")
    store(storage, [new(key="one", at=NOON, payload=-(2**63)), new(key="two", at=NOON + 5)])
    hashed = key_hash("acme", "api", "one")
    unknown = key_hash("acme", "api", "three")
    with storage.recorder() as recorder:
        claims = recorder.claims([hashed, unknown])
        first = recorder.get("acme", [(claims[hashed].timestamp_us, claims[hashed].uid)])
    assert claims == {hashed: Claim(hashed, "acme", -(2**63), NOON, claims[hashed].uid)}
    with storage.ledger("acme") as ledger:
        assert ledger.usage.find_by_key(hashed) == first[0]
        assert ledger.usage.find_by_key(unknown) is None
    with storage.ledger("other") as ledger:
        assert ledger.usage.find_by_key(hashed) is None


def test_many_first_answers_are_found_at_once(storage: Storage) -> None:
    organize(storage, "acme")
    stored = store(storage, [new(at=NOON - 86_400_000_000 * n, key=str(n)) for n in range(1_100)])
    with storage.recorder() as recorder:
        claims = recorder.claims([r.key_hash for r in stored if r.key_hash])
        found = recorder.get("acme", [(c.timestamp_us, c.uid) for c in claims.values()])
    assert len(claims) == len(found) == 1_100


def test_a_key_claimed_twice_in_one_batch_rolls_everything_back(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(key="one")])
    with pytest.raises(Lost), storage.recorder() as recorder:
        recorder.append([new(key="fresh"), new(key="one", at=NOON + 40 * 86_400_000_000)])
    with storage.ledger("acme") as ledger:
        assert len(list(ledger.usage.stream(start_us=None, end_us=None, filters=[]))) == 1
        assert ledger.usage.find_by_key(key_hash("acme", "api", "fresh")) is None
        assert ledger.costs.rollup_differences() == []


def test_of_two_recorders_racing_for_a_key_one_stores_it(storage: Storage) -> None:
    organize(storage, "acme")
    start = threading.Barrier(2)
    outcomes: list[str] = []
    hashed = key_hash("acme", "api", "race")

    def record() -> None:
        start.wait()
        try:
            with storage.recorder() as recorder:
                if hashed in recorder.claims([hashed]):
                    outcomes.append("seen")
                    return
                mine = new(key="race")
                recorder.append([mine])
                recorder.fold([contribution(mine)])
            outcomes.append("stored")
        except Lost:
            outcomes.append("lost")

    threads = [threading.Thread(target=record) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("stored") == 1
    assert len(outcomes) == 2
    with storage.ledger("acme") as ledger:
        assert len(ledger.usage.page(start_us=None, end_us=None, filters=[], limit=10)) == 1
        assert ledger.costs.rollup_differences() == []


def test_recorders_side_by_side_neither_lose_nor_double_anything(storage: Storage) -> None:
    failures: list[BaseException] = []

    def record(worker: int) -> None:
        try:
            for batch in range(6):
                with storage.recorder() as recorder:
                    recorder.add_organizations(["acme", "other"], NOW)
                    mine = [
                        new(
                            ("acme", "other")[n % 2],
                            at=NOON + n * 40_000_000_000 * (1 if worker % 2 else -1),
                            key=f"{worker}-{batch}-{n}",
                            user_id=f"user-{n}",
                            tags={"batch": str(n % 3)},
                        )
                        for n in range(40)
                    ]
                    recorder.append(mine)
                    recorder.fold(list(map(contribution, mine)))
        except BaseException as error:  # noqa: BLE001 (shown by the test)
            failures.append(error)

    threads = [threading.Thread(target=record, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for organization_id in ("acme", "other"):
        with storage.ledger(organization_id) as ledger:
            assert len(list(ledger.usage.stream(start_us=None, end_us=None, filters=[]))) == 480
            assert ledger.costs.rollup_differences() == []


def test_what_is_rolled_back_leaves_nothing_behind(storage: Storage) -> None:
    def fail_at_the_end() -> None:
        with storage.recorder() as recorder:
            recorder.add_organizations(["acme"], NOW)
            record = new(key="k", tags={"env": "prod"}, project_id="p")
            recorder.append([record])
            recorder.fold([contribution(record)])
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail_at_the_end()
    with pytest.raises(NotFound), storage.ledger("acme"):
        pass
    organize(storage, "first", "acme")
    store(storage, [new(key="k", tags={"env": "prod"}, project_id="p")])
    with storage.ledger("acme") as ledger:
        assert ledger.costs.rollup_differences() == []
        assert ledger.project_ids() == ["p"]
    assert storage.statistics()["usage_records"] == 1


def test_unknown_organizations_are_named_and_created(storage: Storage) -> None:
    organize(storage, "acme")
    with storage.recorder() as recorder:
        assert recorder.unknown_organizations({"acme", "b", "c"}) == {"b", "c"}
        recorder.add_organizations(["c", "b", "acme"], NOW + timedelta(days=1))
        assert recorder.unknown_organizations({"acme", "b", "c"}) == set()
        recorder.append([new("b")])
    with storage.installation() as installation:
        assert [o.organization_id for o in installation.organizations()] == ["acme", "b", "c"]
        acme = installation.organization("acme")
        assert acme is not None
        assert acme.created_at == NOW


def test_a_default_price_is_stored_once(storage: Storage) -> None:
    organize(storage, "acme")
    wanted = default_price("acme", [per_million("input", Decimal("2.5"))])
    with storage.recorder() as recorder:
        before = recorder.price_version()
        first = recorder.default_price(wanted, NOW)
        assert recorder.price_version() == before + 1
    with storage.recorder() as recorder:
        assert recorder.default_price(wanted, NOW + timedelta(days=3)) == first
        assert recorder.price_version() == before + 1
    assert first.number is not None
    assert first.rates == wanted.rates


def test_an_amount_beyond_64_bits_is_refused_whole(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(cost=2**63 - 1)])
    with pytest.raises(Conflict, match="out of range"):
        store(storage, [new(cost=1)])
    with pytest.raises(Conflict, match="out of range"):
        store(storage, [new(cost=2**63)])
    with storage.ledger("acme") as ledger:
        assert [r.cost_e10 for r in ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9)] == [2**63 - 1]
        assert ledger.costs.rollup_differences() == []
