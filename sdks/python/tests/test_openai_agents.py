"""Agents of OpenAI's Agents SDK: every call of a model counts once, and belongs to its agent and its workflow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from agent_provider import SECRET, AgentProvider, running_agent_provider
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    set_trace_processors,
)
from keeping import Kept, kept_failures
from openai import AsyncOpenAI
from tests.providers.worked import worked_amounts

import llm_cost_ops
from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context
from llm_cost_ops.integrations.openai_agents import CostOpsTracingProcessor

QUESTION = "a-secret-question"
KINDS = {"chat": (OpenAIChatCompletionsModel, "gpt-5"), "responses": (OpenAIResponsesModel, "gpt-5.6-sol")}
WORKED = {"chat": "openai-chat", "responses": "openai-responses"}


@pytest.fixture(scope="module")
def provider() -> Iterator[AgentProvider]:
    with running_agent_provider() as provider:
        yield provider


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with contextlib.closing(ledger.client()) as client:
        client.tracker.delivery = Kept(client.tracker.delivery)
        set_trace_processors([CostOpsTracingProcessor(client)])
        yield client
        set_trace_processors([])


@function_tool
def weather(city: str) -> str:
    """How cold it is."""
    return f"-5 in {city}"


def run(provider: AgentProvider, kind: str, *, streamed: bool = False, **config: Any) -> str:
    """One run of two agents, as an application makes it: hand over, call the tool, answer. It makes three calls."""

    async def running() -> str:
        async with AsyncOpenAI(api_key="test", base_url=provider.url, max_retries=0) as openai:
            make, name = KINDS[kind]
            # the SDK asks for usage in streams only where it is told to
            settings = ModelSettings(include_usage=True)
            expert = Agent(name="Expert", model=make(name, openai), tools=[weather], model_settings=settings)
            triage = Agent(name="Triage", model=make(name, openai), handoffs=[expert], model_settings=settings)
            how = RunConfig(workflow_name="Support", **config)
            if not streamed:
                return str((await Runner.run(triage, QUESTION, run_config=how)).final_output)
            result = Runner.run_streamed(triage, QUESTION, run_config=how)
            async for _ in result.stream_events():
                pass
            return str(result.final_output)

    return asyncio.run(running())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_call_of_a_run_costs_what_was_worked_out_and_belongs_to_its_agent(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, kind: str, streamed: bool
) -> None:
    with cost_context(project="support"):
        assert run(provider, kind, streamed=streamed, group_id="thread-7") == SECRET
    assert client.flush(30)
    records = ledger.records()
    for record in records:
        ledger.proved_as_worked(WORKED[kind], record["usage_id"])
    assert [record["tags"] for record in records] == [
        {"workflow": "Support", "agent": agent} for agent in ("Triage", "Expert", "Expert")
    ]
    assert {(record["session_id"], record["project_id"]) for record in records} == {("thread-7", "support")}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_was_asked_or_answered_leaves(
    client: CostOpsClient, provider: AgentProvider, kind: str, streamed: bool
) -> None:
    run(provider, kind, streamed=streamed)
    delivery: Any = client.tracker.delivery
    assert len(delivery.records) == 3
    for record in delivery.records:
        for content in (SECRET, QUESTION, "Oslo", "oslo", "weather", "transfer_to"):
            assert content.encode() not in record


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_beside_an_instrumented_client_a_call_counts_once_and_keeps_its_agent(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, kind: str, streamed: bool
) -> None:
    llm_cost_ops.instrument(client, only=["openai"])
    try:
        run(provider, kind, streamed=streamed)
    finally:
        llm_cost_ops.uninstrument()
    assert client.flush(30)
    assert ledger.totals() == (3, 3 * worked_amounts()[WORKED[kind]].total)
    assert [record["tags"]["agent"] for record in ledger.records()] == ["Triage", "Expert", "Expert"]
    delivery: Any = client.tracker.delivery
    assert len(delivery.records) == 3


def test_what_a_block_says_wins_over_the_trace(ledger: Ledger, client: CostOpsClient, provider: AgentProvider) -> None:
    about = {"user": "ana", "team": 7, "prompt": "not for the ledger"}
    with cost_context(session="mine", tags={"agent": "ours"}):
        run(provider, "responses", group_id="thread-7", trace_metadata=about)
    assert client.flush(30)
    for record in ledger.records():
        assert (record["session_id"], record["user_id"], record["team_id"]) == ("mine", "ana", "7")
        assert record["tags"] == {"workflow": "Support", "agent": "ours"}


def test_a_trace_without_its_data_is_not_a_zero(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = kept_failures(client, monkeypatch)
    run(provider, "responses", trace_include_sensitive_data=False)
    assert client.flush(30)
    assert ledger.totals()[0] == 0
    assert len(failures) == 3
    assert "instrument() tells of such calls" in failures[0]
    run(provider, "chat", trace_include_sensitive_data=False)
    assert client.flush(30)
    assert ledger.totals() == (3, 3 * worked_amounts()["openai-chat"].total)


def test_a_failure_of_ours_does_not_reach_the_run(
    client: CostOpsClient, provider: AgentProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr("llm_cost_ops.integrations.openai_agents.begin_telling", broken)
    assert run(provider, "chat") == SECRET


def test_runs_at_the_same_time_do_not_mix(ledger: Ledger, client: CostOpsClient, provider: AgentProvider) -> None:
    async def one(openai: AsyncOpenAI, number: int) -> None:
        agent = Agent(name=f"Agent {number}", model=OpenAIResponsesModel("gpt-5.6-sol", openai), tools=[weather])
        await Runner.run(agent, QUESTION, run_config=RunConfig(workflow_name=f"Workflow {number}"))

    async def all_of_them() -> None:
        async with AsyncOpenAI(api_key="test", base_url=provider.url, max_retries=0) as openai:
            await asyncio.gather(*(one(openai, number) for number in range(5)))

    asyncio.run(all_of_them())
    assert client.flush(30)
    found = sorted((r["tags"]["agent"], r["tags"]["workflow"]) for r in ledger.records())
    assert found == sorted(2 * [(f"Agent {number}", f"Workflow {number}") for number in range(5)])


def test_what_ended_is_forgotten(client: CostOpsClient, provider: AgentProvider) -> None:
    processor = CostOpsTracingProcessor(client)
    set_trace_processors([processor])
    run(provider, "chat")
    assert (processor._traces, processor._agents, processor._calls) == ({}, {}, {})


@pytest.mark.filterwarnings("ignore")  # importing litellm warns of this and that
def test_a_model_of_litellm_is_billed_by_whom_it_names(
    ledger: Ledger, client: CostOpsClient, provider: AgentProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    pytest.importorskip("litellm")
    from agents.extensions.models.litellm_model import LitellmModel

    async def asking() -> None:
        model = LitellmModel("together_ai/openai/gpt-oss-20b", base_url=provider.url, api_key="test")
        await Runner.run(Agent(name="Support", model=model), QUESTION)

    asyncio.run(asking())
    assert client.flush(30)
    [record] = ledger.records()
    assert (record["provider"], record["model_id"], record["input_tokens"]) == ("together", "openai/gpt-oss-20b", 2006)
