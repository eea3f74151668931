"""Asking again: when, how long after, and never so that anything counts twice."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.ledger import FakeLedger, Reply, refusal
from llm_cost_ops import AsyncCostOpsClient, CostOpsClient
from llm_cost_ops._retrying import LONGEST_PAUSE, Attempts, pause, retry_after
from llm_cost_ops._transport import Answer
from llm_cost_ops.exceptions import ConnectionError, RateLimitError, ServerError, TimeoutError
from llm_cost_ops.resources.asynchronous import calling as waiting

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1200, "output_tokens": 300}
HALF = Reply(201, {"data": {"usage_id": "cut off"}}, breaks=12, after=True)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_call_that_the_server_could_not_take_is_sent_again_under_the_same_key(
    client: CostOpsClient, fake: FakeLedger, status: int
) -> None:
    fake.on_request = lambda asked: refusal(status) if asked.path.endswith("/usage") and len(fake.asked) == 2 else None
    assert client.usage.submit(**CALL).usage_id.startswith("usage-")
    first, second = [asked.body for asked in fake.asked if asked.path.endswith("/usage")]
    assert first == second
    assert len(fake.records) == 1


def test_a_retry_never_counts_twice(client: CostOpsClient, fake: FakeLedger) -> None:
    client.usage.submit(**CALL)
    fake.script = [HALF, Reply(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}, after=True)]
    again = client.usage.submit(**CALL)
    assert again.usage_id.startswith("usage-")
    assert len(fake.records) == 2
    fake.script = [HALF]
    assert client.usage.submit_batch([CALL, CALL]).replayed == 2
    assert len(fake.records) == 4


def test_there_are_as_many_attempts_as_were_asked_for(fake: FakeLedger, client: CostOpsClient) -> None:
    fake.always = refusal(503, message="the database is away")
    for retries in (0, 1, 3):
        before = len(fake.asked)
        with pytest.raises(ServerError, match="the database is away"):
            client.with_options(max_retries=retries).usage.get_history()
        assert len(fake.asked) - before == retries + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415])
def test_a_refusal_is_not_asked_again(fake: FakeLedger, client: CostOpsClient, status: int) -> None:
    fake.always = refusal(status)
    with pytest.raises(Exception, match="req-fake"):
        client.usage.get_history()
    assert len(fake.asked) == 1


def test_what_must_not_happen_twice_is_sent_again_only_where_it_did_not_happen(
    fake: FakeLedger, client: CostOpsClient
) -> None:
    fake.script = [Reply(500, b"", after=False)]
    with pytest.raises(ServerError):
        client.budgets.create(amount=1)
    fake.script = [HALF]
    with pytest.raises(ConnectionError, match="before the answer was whole"):
        client.budgets.create(amount=1)
    assert len(fake.asked) == 2
    fake.script = [refusal(503), refusal(429), Reply(201, {"data": {"budget_id": "budget-1"}})]
    assert client.budgets.create(amount=1).budget_id == "budget-1"
    assert len(fake.asked) == 5


def test_a_server_that_does_not_answer_is_given_up(fake: FakeLedger, client: CostOpsClient) -> None:
    fake.always = Reply(silent=True)
    with pytest.raises(TimeoutError, match=r"did not answer within 0.05 s") as caught:
        client.with_options(timeout=0.05).usage.get_history()
    assert fake.url in str(caught.value)
    assert len(fake.asked) == 3


def test_the_time_that_a_server_asks_for_is_waited(
    fake: FakeLedger, client: CostOpsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("llm_cost_ops.resources.synchronous.calling.sleep", waited.append)
    fake.script = [refusal(429, Retry_After="7"), refusal(503, Retry_After=formatdate(time.time() + 30, usegmt=True))]
    client.usage.get_history()
    assert 7 <= waited[0] < 8
    assert 20 < waited[1] < 31


def test_a_server_that_asks_for_an_hour_is_not_waited_for(fake: FakeLedger, client: CostOpsClient) -> None:
    fake.always = refusal(429, "RATE_LIMIT_EXCEEDED", "too many", Retry_After="3600")
    with pytest.raises(RateLimitError) as caught:
        client.usage.get_history()
    assert (caught.value.retry_after, len(fake.asked)) == (3600, 1)


def test_a_stream_is_opened_again_but_not_taken_up_in_the_middle(client: CostOpsClient, fake: FakeLedger) -> None:
    line = b'{"usage_id": "u"}\n'
    fake.script = [
        refusal(503),
        Reply(200, line * 3),
        refusal(500),
        refusal(500),
        refusal(500),
        Reply(200, line, breaks=3),
    ]
    assert len(list(client.usage.stream(batch_size=1))) == 3
    with pytest.raises(ServerError):
        list(client.usage.stream())
    with pytest.raises(ConnectionError):
        list(client.usage.stream())
    assert len(fake.asked) == 6


@given(st.integers(1, 30), st.floats(0, 1))
def test_pauses_double_up_to_the_longest_and_chance_shortens_them(attempt: int, chance: float) -> None:
    whole = pause(attempt, 0)
    assert whole / 2 <= pause(attempt, chance) <= whole <= LONGEST_PAUSE
    assert pause(attempt + 1, 0) == min(LONGEST_PAUSE, 2 * whole)


@given(st.text())
def test_a_retry_after_that_cannot_be_read_says_nothing(text: str) -> None:
    asked = retry_after({"retry-after": text})
    assert asked is None or asked >= 0
    assert Attempts(0, may_repeat=True).after_answer(Answer(503, {"retry-after": text}, b"")) is None


def test_the_client_for_event_loops_retries_the_same(fake: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        assert seconds >= 0

    monkeypatch.setattr(waiting, "sleep", at_once)
    fake.script = [refusal(503), HALF]

    async def main() -> str:
        async with AsyncCostOpsClient("sk_live_fake", fake.url, "org-fake") as client:
            return (await client.usage.submit(**CALL)).usage_id

    assert asyncio.run(main()).startswith("usage-")
    assert (len(fake.asked), len(fake.records)) == (3, 1)
