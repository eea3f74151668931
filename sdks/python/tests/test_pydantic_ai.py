"""Agents of Pydantic AI: every request to a model counts once, and belongs to its agent and its conversation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from agent_provider import SECRET, AgentProvider, running_agent_provider
from keeping import Kept, kept_failures
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from tests.providers.worked import worked_amounts

import llm_cost_ops
from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context
from llm_cost_ops.exceptions import SpendLimitExceeded
from llm_cost_ops.integrations.pydantic_ai import CostOpsModel
from llm_cost_ops.spend_limits import spend_limit

QUESTION = "a-secret-question"
KINDS: dict[str, Any] = {"chat": (OpenAIChatModel, "gpt-5"), "responses": (OpenAIResponsesModel, "gpt-5.6-sol")}
WORKED = {"chat": "openai-chat", "responses": "openai-responses"}
MODES = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def provider() -> Iterator[AgentProvider]:
    with running_agent_provider() as provider:
        yield provider


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with contextlib.closing(ledger.client()) as client:
        client.tracker.delivery = Kept(client.tracker.delivery)
        yield client


def run(client: CostOpsClient, provider: AgentProvider, kind: str, *, streamed: bool = False, **how: Any) -> str:
    """One run of an agent, as an application makes it: it calls the tool and answers. It makes two requests."""

    async def running() -> str:
        async with AsyncOpenAI(api_key="test", base_url=provider.url, max_retries=0) as openai:
            make, name = KINDS[kind]
            model = CostOpsModel(make(name, provider=OpenAIProvider(openai_client=openai)), client)
            agent = Agent(model, name="support")

            @agent.tool_plain
            def weather(city: str) -> str:
                return f"-5 in {city}"

            if not streamed:
                return (await agent.run(QUESTION, **how)).output
            async with agent.run_stream(QUESTION, **how) as result:
                return await result.get_output()

    return asyncio.run(running())


@MODES
@pytest.mark.parametrize("kind", KINDS)
def test_each_request_costs_what_was_worked_out_and_belongs_to_its_agent(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, kind: str, streamed: bool
) -> None:
    with cost_context(project="support"):
        said = run(client, provider, kind, streamed=streamed, conversation_id="thread-7", metadata={"user": "ana"})
    assert said == SECRET
    assert client.flush(30)
    records = ledger.records()
    assert len(records) == 2
    for record in records:
        assert record["cost"]["total_cost"] == worked_amounts()[WORKED[kind]].total
        assert (record["tags"], record["session_id"]) == ({"agent": "support"}, "thread-7")
        assert (record["project_id"], record["user_id"]) == ("support", "ana")


@MODES
@pytest.mark.parametrize("kind", KINDS)
def test_beside_an_instrumented_client_a_request_counts_once_and_keeps_its_agent(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, kind: str, streamed: bool
) -> None:
    llm_cost_ops.instrument(client, only=["openai"])
    try:
        run(client, provider, kind, streamed=streamed)
    finally:
        llm_cost_ops.uninstrument()
    assert client.flush(30)
    assert ledger.totals() == (2, 2 * worked_amounts()[WORKED[kind]].total)
    assert [record["tags"] for record in ledger.records()] == 2 * [{"agent": "support"}]


@MODES
def test_nothing_that_was_asked_or_answered_leaves(
    client: CostOpsClient, provider: AgentProvider, streamed: bool
) -> None:
    for kind in KINDS:
        run(client, provider, kind, streamed=streamed)
    delivery: Any = client.tracker.delivery
    assert len(delivery.records) == 4
    for record in delivery.records:
        for content in (SECRET, QUESTION, "Oslo", "oslo", "weather"):
            assert content.encode() not in record


def test_cache_writes_of_unknown_lifetime_are_an_estimate(
    ledger: Ledger, client: CostOpsClient, providers: str
) -> None:
    async def running() -> None:
        provider = AnthropicProvider(api_key="test", base_url=f"{providers}/anthropic-messages")
        agent = Agent(CostOpsModel(AnthropicModel("claude-sonnet-5", provider=provider), client), retries=0)
        async with agent:
            with contextlib.suppress(Exception):  # the recorded answer calls a tool that this agent does not have
                await agent.run(QUESTION)

    asyncio.run(running())
    assert client.flush(30)
    record = ledger.records()[0]
    assert (record["provider"], record["estimated"], record["status"]) == ("anthropic", True, "estimated")


def test_a_stream_that_is_left_is_not_a_zero(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = kept_failures(client, monkeypatch)

    async def leaving() -> None:
        async with AsyncOpenAI(api_key="test", base_url=provider.url, max_retries=0) as openai:
            model = CostOpsModel(OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=openai)), client)
            async with Agent(model).run_stream(QUESTION):
                raise LookupError("the reader left")

    with pytest.raises(LookupError, match="the reader left"):
        asyncio.run(leaving())
    assert client.flush(30)
    assert ledger.totals() == (0, Decimal(0))
    [failure] = failures
    assert failure.startswith("NoUsageTold: openai said nothing of the usage of gpt-5")


def test_another_call_while_a_stream_is_read_is_not_taken_for_it(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider
) -> None:
    async def both() -> None:
        async with AsyncOpenAI(api_key="test", base_url=provider.url, max_retries=0) as openai:
            model = CostOpsModel(OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=openai)), client)
            async with Agent(model).run_stream(QUESTION) as result:
                other = llm_cost_ops.wrap(AsyncOpenAI(api_key="test", base_url=provider.url, max_retries=0), client)
                async with other:
                    await other.responses.create(model="gpt-5.6-sol", input=QUESTION)
                assert await result.get_output() == SECRET

    asyncio.run(both())
    llm_cost_ops.uninstrument()
    assert client.flush(30)
    assert ledger.totals() == (2, worked_amounts()["openai-chat"].total + worked_amounts()["openai-responses"].total)


@MODES
def test_no_request_is_made_when_a_spend_limit_is_reached(
    client: CostOpsClient, provider: AgentProvider, streamed: bool
) -> None:
    asked_before = len(provider.asked)
    with spend_limit(usd=0), pytest.raises(SpendLimitExceeded):
        run(client, provider, "chat", streamed=streamed)
    assert len(provider.asked) == asked_before


def test_a_model_that_nobody_bills_is_not_recorded(client: CostOpsClient) -> None:
    assert asyncio.run(Agent(CostOpsModel(TestModel(), client)).run("hello")).output
    delivery: Any = client.tracker.delivery
    assert delivery.records == []


def test_a_failure_of_ours_does_not_reach_the_run(
    client: CostOpsClient, provider: AgentProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("ours")

    failures = kept_failures(client, monkeypatch)
    monkeypatch.setattr("llm_cost_ops.integrations.pydantic_ai.record_of", broken)
    assert run(client, provider, "chat") == SECRET
    monkeypatch.setattr("llm_cost_ops.integrations.pydantic_ai.begin_telling", broken)
    assert run(client, provider, "chat", streamed=True) == SECRET
    assert set(failures) == {"RuntimeError: ours"}


def test_an_error_of_the_provider_is_the_applications(client: CostOpsClient, providers: str) -> None:
    async def failing() -> None:
        async with AsyncOpenAI(api_key="test", base_url=f"{providers}/no-such-case", max_retries=0) as openai:
            model = OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=openai))
            await Agent(CostOpsModel(model, client)).run(QUESTION)

    with pytest.raises(Exception, match="404"):
        asyncio.run(failing())
    delivery: Any = client.tracker.delivery
    assert delivery.records == []
