"""Usage over the client, on a real ledger: sent, read, corrected, proved."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from ledgers import YEARS, Ledger
from llm_cost_ops import AsyncCostOpsClient, CostOpsClient
from llm_cost_ops.exceptions import ConflictError, InvalidRequestError, NotFoundError, SettingsError

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1200, "output_tokens": 300}
COST = Decimal("0.006")


def test_a_submitted_call_is_answered_with_its_id_and_its_exact_cost(ledger: Ledger) -> None:
    with ledger.client() as client:
        done = client.usage.submit(**CALL, tags={"env": "prod"}, timestamp=datetime.now(timezone.utc))
        record = client.usage.get(done.usage_id)
    assert (done.status, done.currency, done.cost.total_cost, done.estimated_cost) == ("computed", "USD", COST, COST)
    assert record.tags == {"env": "prod"}
    assert isinstance(record.timestamp, datetime)
    assert record.timestamp.tzinfo is not None
    assert record.cost == done.cost


def test_the_organisation_is_the_one_of_the_key_where_nobody_names_one(ledger: Ledger) -> None:
    with ledger.client(organization_id=None) as client:
        assert client.usage.submit(**CALL).organization_id == ledger.organization_id
        assert client.usage.submit_batch([CALL]).accepted == 1


def test_a_batch_says_of_each_record_what_became_of_it(ledger: Ledger) -> None:
    with ledger.client() as client:
        batch = client.usage.submit_batch([CALL, {**CALL, "input_tokens": -1}])
        with pytest.raises(InvalidRequestError):
            client.usage.submit_batch([CALL, {**CALL, "input_tokens": -1}], atomic=True)
    good, bad = batch.results
    assert (batch.accepted, batch.rejected, good.cost) == (1, 1, COST)
    assert bad.usage_id is None
    assert "must not be negative" in bad.error.message
    assert len(ledger.records()) == 1


def test_all_that_is_wrong_in_a_record_is_told_at_once(ledger: Ledger) -> None:
    with ledger.client() as client, pytest.raises(InvalidRequestError) as caught:
        client.usage.submit(provider="openai", input_tokens=-100)
    assert {one["field"] for one in caught.value.details["errors"]} == {"input_tokens", "model_id"}
    assert caught.value.request_id in str(caught.value)
    assert (caught.value.code, caught.value.status) == ("INVALID_REQUEST", 400)


def test_a_key_that_is_taken_by_other_content_is_a_conflict(ledger: Ledger) -> None:
    moment = "2026-03-01T00:00:00Z"
    with ledger.client() as client:
        first = client.usage.submit(**CALL, idempotency_key="call-1", timestamp=moment)
        again = client.usage.submit(**CALL, idempotency_key="call-1", timestamp=moment)
        with pytest.raises(ConflictError):
            client.usage.submit(**{**CALL, "input_tokens": 1}, idempotency_key="call-1", timestamp=moment)
    assert first.usage_id == again.usage_id


def test_a_default_price_estimates_what_has_no_price(ledger: Ledger) -> None:
    pricing = {"input_price_per_1k": Decimal("0.01"), "output_price_per_1k": Decimal("0.03")}
    mine = {**CALL, "provider": "custom", "model_id": "mine"}
    with ledger.client(default_pricing=pricing) as client:
        done = client.usage.submit(**mine)
    assert (done.status, done.cost.total_cost) == ("estimated", Decimal("0.021"))
    with ledger.client() as client:
        unknown = client.usage.submit(**mine)
    assert (unknown.status, unknown.cost, unknown.estimated_cost) == ("unpriced", None, None)


def test_history_is_read_page_by_page_or_all_through(ledger: Ledger) -> None:
    with ledger.client() as client:
        client.usage.submit_batch([{**CALL, "user_id": f"u{n}"} for n in range(5)])
        seen, page = [], 1
        while True:
            usage = client.usage.get_history(page=page, page_size=2)
            seen += usage.data
            if not usage.pagination.has_next:
                break
            page += 1
        through = list(client.usage.get_history(page_size=2))
        on_from_there = list(client.usage.get_history(page=2, page_size=2).auto_paging())
        one_user = client.usage.get_history(user_id=["u1", "u2"], **YEARS)
    assert (
        [r.usage_id for r in seen] == [r.usage_id for r in through] == [r["usage_id"] for r in ledger.records()][::-1]
    )
    assert on_from_there == through[2:]
    assert {r.user_id for r in one_user.data} == {"u1", "u2"}


def test_a_page_beyond_the_limit_is_refused_with_the_limit(ledger: Ledger) -> None:
    with ledger.client() as client, pytest.raises(InvalidRequestError, match="100"):
        client.usage.get_history(page_size=10000)


def test_a_range_is_streamed_in_batches(ledger: Ledger) -> None:
    start = datetime.now(timezone.utc) - timedelta(days=1)
    with ledger.client() as client:
        client.usage.submit_batch([{**CALL, "tags": {"n": str(n)}} for n in range(7)])
        with client.usage.stream(start_date=start, end_date=YEARS["end_date"], batch_size=3) as stream:
            batches = list(stream)
        every = [r.usage_id for r in client.usage.stream(start_date=start).records()]
        only = [r.tags["n"] for r in client.usage.stream(start_date=start, tags={"n": "4"}).records()]
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert every == [r.usage_id for batch in batches for r in batch]
    assert only == ["4"]


def test_a_stream_that_is_refused_raises_what_the_server_said(ledger: Ledger) -> None:
    with ledger.client() as client, pytest.raises(InvalidRequestError, match="start_date"):
        list(client.usage.stream(start_date="2026-01-01"))


def test_a_correction_keeps_the_earlier_form_and_the_proof_agrees(ledger: Ledger) -> None:
    with ledger.client() as client:
        done = client.usage.submit(**CALL)
        revised = client.usage.revise(done.usage_id, team_id="research", reason="the sender left it out")
        [earlier] = client.usage.revisions(done.usage_id)
        proof = client.usage.explain(done.usage_id)
    assert (revised.team_id, revised.revision, revised.changed) == ("research", 1, True)
    assert (earlier.reason, earlier.cost) == ("the sender left it out", COST)
    assert proof.agrees
    assert sum(line.amount for line in proof.lines) == proof.recomputed_cost == COST
    assert proof.price.rates


def test_what_is_not_there_is_not_found(ledger: Ledger) -> None:
    with ledger.client() as client:
        with pytest.raises(NotFoundError):
            client.usage.get("01a19b8a-6220-7000-b6e6-10698bf1252f")
        with pytest.raises(SettingsError, match="id is needed"):
            client.usage.get("")


def test_a_time_without_a_zone_is_refused_before_it_is_sent(ledger: Ledger) -> None:
    naive = datetime(2026, 3, 1)  # noqa: DTZ001  (that is the point)
    with ledger.client() as client:
        with pytest.raises(SettingsError, match=r"timestamp.*time zone"):
            client.usage.submit(**CALL, timestamp=naive)
        with pytest.raises(SettingsError, match=r"start_date.*time zone"):
            client.usage.get_history(start_date=naive)
    assert ledger.records() == []


def test_submit_async_works_on_one_loop_after_another(ledger: Ledger) -> None:
    client = ledger.client(organization_id=None)

    async def three() -> list[str]:
        done = await asyncio.gather(*(client.usage.submit_async(**CALL) for _ in range(3)))
        return [one.usage_id for one in done]

    first, second = asyncio.run(three()), asyncio.run(three())
    client.close()
    assert len({*first, *second}) == len(ledger.records()) == 6


def test_the_client_for_event_loops_answers_the_same(ledger: Ledger) -> None:
    async def all_of_it(client: AsyncCostOpsClient) -> tuple[Decimal, int, int, list[int]]:
        done = await client.usage.submit(**CALL)
        await client.usage.submit_async(**CALL)
        await client.usage.submit_batch([CALL, CALL])
        paged = [record async for record in await client.usage.get_history(page_size=3)]
        async with client.usage.stream(**YEARS, batch_size=3) as stream:
            batches = [len(batch) async for batch in stream]
        return done.cost.total_cost, len(paged), (await client.costs.get(**YEARS)).requests, batches

    async def main() -> tuple[Decimal, int, int, list[int]]:
        async with AsyncCostOpsClient(ledger.key, ledger.url) as client:
            return await all_of_it(client)

    assert asyncio.run(main()) == (COST, 4, 4, [3, 1])


def test_raw_answers_have_the_status_the_headers_and_what_they_say(ledger: Ledger) -> None:
    with ledger.client() as client:
        raw = client.usage.with_raw_response.submit(**CALL)
        refused = client.usage.with_raw_response.submit(provider="openai")
        client.usage.submit_batch([CALL, CALL])
        page = client.usage.with_raw_response.get_history(page_size=1).parse()
        through = [r.usage_id for r in page]
    assert (raw.status, raw.headers["x-api-version"]) == (201, "v1")
    assert raw.request_id
    assert raw.json()["estimated_cost"] == raw.parse().cost.total_cost == COST
    assert refused.status == 400
    with pytest.raises(InvalidRequestError):
        refused.parse()
    assert len(through) == 3
    assert through[-1] == raw.parse().usage_id


def test_options_of_one_call_share_the_connections(ledger: Ledger) -> None:
    with ledger.client() as client:
        other = client.with_options(timeout=7, max_retries=0, headers={"X-Request-ID": "req-of-mine"})
        with pytest.raises(InvalidRequestError) as caught:
            other.usage.submit(provider="openai")
        assert other.transport is client.transport
        assert (other.settings.timeout, client.settings.timeout) == (7, 30)
        assert other.tracker is client.tracker
        other.close()
        assert client.usage.submit(**CALL).cost.total_cost == COST
    assert caught.value.request_id == "req-of-mine"


def test_the_surface_is_that_of_the_troubleshooting_guide(ledger: Ledger) -> None:
    client = CostOpsClient(api_key=ledger.key, base_url=ledger.url)
    result = client.usage.submit(
        organization_id=ledger.organization_id,
        provider="openai",
        model_id="gpt-4",
        input_tokens=1000,
        output_tokens=500,
        total_tokens=1500,
    )
    costs = client.costs.get(
        organization_id=ledger.organization_id, start_date=YEARS["start_date"], end_date=YEARS["end_date"]
    )
    client.close()
    assert result.usage_id
    assert costs.total_cost == result.cost.total_cost
