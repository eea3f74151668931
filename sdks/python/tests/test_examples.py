"""The examples run as their first lines say, against a real ledger and a model on this machine."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from agent_provider import SECRET, AgentProvider, running_agent_provider
from cost_ops.workers.runner import Runner
from openai import OpenAI
from programs import DEADLINE_SECONDS, EXAMPLES, application, environment, script, until
from tests.api.running import Server
from tests.providers.worked import worked_amounts

from ledgers import Ledger, new_organization, running_ledger

ONE_CALL = worked_amounts()["openai-chat"].total
TWO_CALLS = f"{(2 * ONE_CALL).normalize():f}"


@pytest.fixture(scope="module")
def provider() -> Iterator[AgentProvider]:
    with running_agent_provider() as provider:
        yield provider


def recorded(ledger: Ledger, number: int) -> list[dict[str, Any]]:
    """The ledger's records, when there are so many."""
    until(lambda: len(ledger.records()) >= number, f"{number} records")
    return ledger.records()


def test_langchain_app_tells_what_its_question_cost(ledger: Ledger, provider: AgentProvider, tmp_path: Path) -> None:
    env = environment(ledger, provider)
    said = script(EXAMPLES / "langchain_app.py", "How cold is it in Oslo?", env=env, folder=tmp_path)
    assert SECRET in said
    assert re.search(rf"^gpt-5\S*: 2 calls, {TWO_CALLS} USD$", said, re.MULTILINE)
    assert ledger.totals() == (2, 2 * ONE_CALL)
    assert {r["tags"]["chain"] for r in ledger.records()} == {"search"}


def ask(url: str, *, streamed: bool = False, **headers: str) -> str:
    """What an application does that knows the proxy only as an address."""
    with OpenAI(api_key="test", base_url=f"{url}/v1", max_retries=0, default_headers=headers) as openai:
        asked: Any = {
            "model": "gpt-5",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_completion_tokens": 500,
        }
        if not streamed:
            return str(openai.chat.completions.create(**asked).choices[0].message.content)
        events = openai.chat.completions.create(**asked, stream=True)
        return "".join(event.choices[0].delta.content or "" for event in events if event.choices)


def test_openai_proxy_passes_on_and_records_and_holds_projects_to_their_budgets(
    ledger: Ledger, provider: AgentProvider, providers: str
) -> None:
    with ledger.client() as client:
        client.budgets.create(name="poor", amount="0.001", scope={"project": ["poor"]}, enforcement="hard")
        client.budgets.create(name="rich", amount="100", scope={"project": ["rich"]}, enforcement="hard")
    with application("openai_proxy", environment(ledger, provider, UPSTREAM_URL=provider.url)) as url:
        assert ask(url, **{"X-Project": "rich", "X-User": "ana"}) == SECRET
        assert ask(url, streamed=True, **{"X-Project": "rich"}) == SECRET
        records = recorded(ledger, 2)
        asked_before = len(provider.asked)
        with pytest.raises(Exception, match="Budget 'poor' has"):
            ask(url, **{"X-Project": "poor"})
        assert len(provider.asked) == asked_before, "a call without room must not be made"
    assert ledger.totals() == (2, 2 * ONE_CALL)
    assert [(r["project_id"], r.get("user_id")) for r in records] == [("rich", "ana"), ("rich", None)]
    for record in records:
        ledger.proved_as_worked("openai-chat", record["usage_id"])
    with ledger.client() as client:
        assert [lease.status for lease in client.budgets.leases()] == ["settled", "settled"]


def test_openai_proxy_passes_errors_on_and_gives_back_what_it_held(
    ledger: Ledger, provider: AgentProvider, providers: str
) -> None:
    with ledger.client() as client:
        client.budgets.create(name="all", amount="100", enforcement="hard")
    nowhere = f"{providers}/no-such-case"
    with application("openai_proxy", environment(ledger, provider, UPSTREAM_URL=nowhere)) as url:
        with pytest.raises(Exception, match="404"):
            ask(url)
        with ledger.client() as client:
            assert [lease.status for lease in client.budgets.leases()] == ["released"]
    assert ledger.totals()[0] == 0


@pytest.fixture(scope="module")
def telling_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does its jobs, and posts webhooks to programs on this machine without waiting for more of them."""
    told = {"notifications__allow_private_addresses": "true", "notifications__group_wait_secs": "0"}
    with running_ledger(tmp_path_factory.mktemp("telling"), **told) as server:
        runner = Runner(server.application)
        runner.start()
        try:
            yield server
        finally:
            runner.stop()


def test_budget_alerting_prints_each_threshold_once_and_removes_its_webhook(
    telling_server: Server, provider: AgentProvider, ledger: Ledger, tmp_path: Path
) -> None:
    mine = new_organization(telling_server)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(EXAMPLES / "budget_alerting.py"), "--project", "search", "--amount", "10"]
    command += ["--port", str(port)]
    said = tmp_path / "said"
    with said.open("w") as out, mine.client() as client:
        process = subprocess.Popen(command, env=environment(mine, provider), stdout=out, stderr=subprocess.STDOUT)
        try:
            until(lambda: "listening" in said.read_text() or process.poll() is not None, "the receiver")
            fields = {"provider": "openai", "model_id": "gpt-4o", "output_tokens": 0, "project_id": "search"}
            client.usage.submit(**fields, input_tokens=2_400_000)
            until(lambda: "ALERT" in said.read_text(), "the alert")
            forged = httpx2.post(
                f"http://127.0.0.1:{port}/alerts", content=b"{}", headers={"X-LLM-CostOps-Signature": "sha256=00"}
            )
            assert forged.status_code == 401
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(DEADLINE_SECONDS)
        assert process.returncode == 0, said.read_text()
        assert list(client.webhooks.list()) == []
    alerts = [line for line in said.read_text().splitlines() if line.startswith("ALERT")]
    assert alerts == ["ALERT search-monthly: 6 of 10 USD (50% reached)"]


def test_multi_tenant_keeps_customers_apart(ledger: Ledger, provider: AgentProvider) -> None:
    env = environment(ledger, provider, ADMIN_TOKEN="admin")
    with application("multi_tenant", env) as url, httpx2.Client(base_url=url, timeout=DEADLINE_SECONDS) as http:
        acme, bolt = (
            {"Authorization": f"Bearer token-of-{name}", "X-User": f"user-of-{name}"} for name in ("acme", "bolt")
        )
        for customer in (acme, acme, bolt):
            assert http.post("/ask", json={"question": "Hello"}, headers=customer).json() == {"answer": SECRET}
        recorded(ledger, 3)
        assert http.get("/costs", headers=acme).json() == {
            "customer": "acme",
            "total": TWO_CALLS,
            "currency": "USD",
            "users": {"user-of-acme": TWO_CALLS},
        }
        assert http.post("/ask", json={"question": "Hello"}, headers={"Authorization": "Bearer x"}).status_code == 401
        assert http.post("/customers/bolt/budget?amount=0.001&token=admin").status_code == 200
        assert http.post("/ask", json={"question": "Hello"}, headers=bolt).status_code == 402
        assert http.post("/ask", json={"question": "Hello"}, headers=acme).status_code == 200
    assert {r["tags"]["route"] for r in recorded(ledger, 4)} == {"/ask"}


def test_fastapi_background_records_after_its_answer(ledger: Ledger, provider: AgentProvider) -> None:
    with application("fastapi_background", environment(ledger, provider)) as url:
        answer = httpx2.post(f"{url}/api/chat", params={"message": "Hello"}, timeout=DEADLINE_SECONDS)
        assert answer.json() == {"answer": SECRET}
        [record] = recorded(ledger, 1)
    assert (record["project_id"], record["cost"]["total_cost"]) == ("chat", ONE_CALL)


def test_celery_background_writes_a_month(ledger: Ledger, provider: AgentProvider, tmp_path: Path) -> None:
    with ledger.client() as client:
        for moment, tokens in (("2026-10-31T23:59:59Z", 1_000_000), ("2026-11-01T00:00:00Z", 7)):
            about = {"provider": "openai", "model_id": "gpt-4o", "project_id": "search", "timestamp": moment}
            client.usage.submit(**about, input_tokens=tokens, output_tokens=0)
    said = script(EXAMPLES / "celery_background.py", "2026-10", env=environment(ledger, provider), folder=tmp_path)
    assert said == "costs-2026-10.csv\n"
    header, line = (tmp_path / "costs-2026-10.csv").read_text().splitlines()
    assert header == "project,model,requests,cost,currency"
    assert line.startswith("search,gpt-4o,1,2.5")
    assert Decimal(line.split(",")[3]) == Decimal("2.5")


def test_every_example_is_run_and_short_enough_to_read() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for example in EXAMPLES.glob("*.py"):
        assert f"test_{example.stem}_" in source
        assert len(example.read_text(encoding="utf-8").splitlines()) <= 120
