"""A limit holds: no call is made once it is reached, and what is not known is not taken for nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from scripted_provider import Answer, scripted
from tracked_calls import MESSAGES

from ledgers import Ledger
from llm_cost_ops import CostOpsClient, instrument, spend_limit, uninstrument
from llm_cost_ops.exceptions import SettingsError, SpendLimitExceeded
from llm_cost_ops.spend_limits import SpendLimit

CALL: dict[str, Any] = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}
COST = Decimal("0.0035")
CHAT: dict[str, Any] = {"model": "gpt-5", "messages": MESSAGES}
ANSWER = {
    "object": "chat.completion",
    "created": 1793620800,
    "model": "gpt-5-2025-08-07",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Cold."}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with ledger.client() as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[str]:
    """A provider whose every answer is one of its own."""
    numbers = count()

    def answer(_path: str, _body: Any) -> Answer:
        return Answer({**ANSWER, "id": f"chatcmpl-{next(numbers):020}"})

    with scripted(answer) as running:
        yield running.url


@pytest.fixture
def openai(client: CostOpsClient, provider: str) -> Iterator[OpenAI]:
    instrument(client, only=["openai"])
    with OpenAI(api_key="k", base_url=f"{provider}/v1", max_retries=0) as calling:
        yield calling
    uninstrument()


def one_cost(ledger: Ledger, openai: OpenAI, client: CostOpsClient) -> Decimal:
    openai.chat.completions.create(**CHAT)
    assert client.flush(30)
    return ledger.totals()[1]


def test_no_call_is_made_once_the_limit_is_reached(ledger: Ledger, openai: OpenAI, client: CostOpsClient) -> None:
    cost = one_cost(ledger, openai, client)
    with spend_limit(usd=cost * 2) as spent:
        for _ in range(2):
            openai.chat.completions.create(**CHAT)
        with pytest.raises(SpendLimitExceeded) as refused:
            openai.chat.completions.create(**CHAT)
    assert (spent.total, spent.calls, spent.remaining, spent.waiting) == (2 * cost, 2, 0, 0)
    assert str(refused.value) == f"the spend limit of {cost * 2} USD is reached: {cost * 2} USD were spent in 2 calls"
    assert refused.value.spent is spent
    assert ledger.totals() == (3, 3 * cost)
    openai.chat.completions.create(**CHAT)  # outside of the block nothing holds


def test_one_call_after_another_passes_the_limit_by_one_at_most(client: CostOpsClient) -> None:
    def run(spent: SpendLimit) -> None:
        while True:
            spent.check()
            client.track(**CALL)

    with spend_limit("0.01") as spent, pytest.raises(SpendLimitExceeded):
        run(spent)
    assert spent.total == 3 * COST
    assert spent.total - spent.limit < COST


def test_calls_of_threads_pools_and_tasks_count(
    ledger: Ledger, openai: OpenAI, client: CostOpsClient, provider: str
) -> None:
    cost = one_cost(ledger, openai, client)

    def call() -> None:
        openai.chat.completions.create(**CHAT)

    async def awaited() -> None:
        async with AsyncOpenAI(api_key="k", base_url=f"{provider}/v1", max_retries=0) as calling:
            await asyncio.gather(*(calling.chat.completions.create(**CHAT) for _ in range(2)))
            await asyncio.to_thread(call)

    with spend_limit(usd=1) as spent, ThreadPoolExecutor(2) as pool:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        for future in [pool.submit(call) for _ in range(3)]:
            future.result()
        asyncio.run(awaited())
        assert spent.settle(30)
        assert (spent.calls, spent.total) == (7, 7 * cost)


def test_of_limits_within_each_other_each_counts_and_the_first_reached_holds(client: CostOpsClient) -> None:
    with spend_limit(usd=1) as run:
        with spend_limit(usd=COST) as step:
            client.usage.submit(**CALL)
            with pytest.raises(SpendLimitExceeded):
                step.check()
        client.track(**CALL)
        run.check()
    assert (run.total, step.total) == (2 * COST, COST)
    with spend_limit(usd=COST) as outer, spend_limit(usd=1):
        client.usage.submit_batch([CALL, CALL])
        with pytest.raises(SpendLimitExceeded, match=r"limit of 0\.0035 USD"):
            outer.check()


def test_an_answer_read_twice_and_a_call_told_of_twice_count_once(client: CostOpsClient) -> None:
    with spend_limit(usd=1) as spent:
        raw = client.usage.with_raw_response.submit(**CALL, idempotency_key="k")
        assert raw.parse().usage_id == raw.parse().usage_id
        client.usage.submit(**CALL, idempotency_key="k")
        for _ in range(2):
            client.track(**CALL, response_id="chatcmpl-0123456789abcdef")
    assert spent.total == 2 * COST


def test_without_a_price_one_is_refused_or_goes_on_as_one_said(client: CostOpsClient) -> None:
    unknown = {**CALL, "model_id": "unheard-of"}
    with spend_limit(usd=1) as spent:
        client.track(**unknown)
        with pytest.raises(SpendLimitExceeded, match=r"not known: no price is known for openai/unheard-of\. Known is"):
            spent.check()
    assert (spent.total, spent.unknown) == (0, {"no price is known for openai/unheard-of": 1})
    with spend_limit(usd=1, when_unknown="allow") as allowing:
        client.track(**unknown)
        allowing.check()
        client.track(**CALL)
        allowing.check()
    assert allowing.total == COST


def test_another_currency_is_not_taken_for_this_one(client: CostOpsClient) -> None:
    client.pricing.add(
        provider="own", model_id="m", input_price_per_1k="0.01", output_price_per_1k="0.02", currency="EUR"
    )
    with spend_limit(usd=1) as dollars, spend_limit(amount="0.005", currency="EUR") as euros:
        client.usage.submit(provider="own", model_id="m", input_tokens=1000, output_tokens=0)
        assert euros.total == Decimal("0.01")
        with pytest.raises(SpendLimitExceeded, match="own/m is paid in EUR"):
            dollars.check()
        with pytest.raises(SpendLimitExceeded, match=r"limit of 0\.005 EUR is reached"):
            euros.check()


def test_a_ledger_that_is_away_refuses_within_a_bounded_time_unless_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("COST_OPS_SPOOL", f"{tmp_path}/spool")
    away = CostOpsClient("sk_live_00000000_0000000000000000000000", "http://127.0.0.1:9", "org", max_retries=0)
    with spend_limit(usd=1, wait=0.2) as spent:
        away.track(**CALL)
        with pytest.raises(SpendLimitExceeded, match="not known"):
            spent.check()
    with spend_limit(usd=1, wait=0.2, when_unknown="allow") as allowing:
        away.track(**CALL)
        allowing.check()
        allowing.check()
    assert allowing.total == 0
    away.tracker.delivery.close(0)
    away.transport.close()


def test_a_call_that_tells_no_usage_is_not_taken_for_a_free_one(client: CostOpsClient, openai: OpenAI) -> None:
    with spend_limit(usd=1) as spent:
        client.tracker.failed(ValueError("nothing told how much was used"))
        with pytest.raises(SpendLimitExceeded, match="a call was not tracked"):
            openai.chat.completions.create(**CHAT)
    assert spent.calls == 0


def test_a_stream_counts_for_the_block_that_began_it(openai: OpenAI, client: CostOpsClient, providers: str) -> None:
    recorded = openai.with_options(base_url=f"{providers}/openai-chat/v1")
    with spend_limit(usd=1) as spent:
        stream = recorded.chat.completions.create(**CHAT, stream=True)
    with spend_limit(usd=1) as other:
        assert list(stream)
    assert client.flush(30)
    assert spent.settle(30)
    assert (spent.calls, other.calls) == (1, 0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "give spend_limit either"),
        ({"usd": 1, "amount": 2}, "give spend_limit either"),
        ({"usd": 1, "currency": "EUR"}, "give spend_limit either"),
        ({"usd": -1}, "not negative"),
        ({"usd": "much"}, "is a number"),
        ({"usd": "NaN"}, "not negative"),
        ({"usd": True}, "is a number"),
        ({"usd": 1, "when_unknown": "perhaps"}, "'refuse' or 'allow'"),
    ],
)
def test_a_limit_that_is_none_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message), spend_limit(**how):
        pytest.fail("the block is not begun")


def test_a_fraction_is_taken_as_it_is_written() -> None:
    with spend_limit(usd=0.1) as spent:
        assert spent.limit == Decimal("0.1")
    with spend_limit(usd="2.50") as spent:
        assert spent.remaining == Decimal("2.50")
