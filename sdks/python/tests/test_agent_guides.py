"""The Python on the pages about agents and web applications runs as it is printed, and does what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from agent_provider import SECRET, AgentProvider, running_agent_provider
from programs import EXAMPLES, application, environment, script, until

from ledgers import Ledger

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def provider() -> Iterator[AgentProvider]:
    with running_agent_provider() as provider:
        yield provider


def written(page: str, folder: Path, ending: str = "") -> Path:
    """A page's blocks of Python, one after the other, as a program."""
    blocks = [block["code"] for block in _BLOCK.finditer((GUIDES / page).read_text("utf-8"))]
    program = folder / "program.py"
    program.write_text("\n".join([*blocks, ending]), encoding="utf-8")
    return program


def test_the_page_about_web_applications(ledger: Ledger, provider: AgentProvider, tmp_path: Path) -> None:
    written("python-web.md", tmp_path)
    with application("program", environment(ledger, provider), tmp_path) as url:
        answer = httpx2.post(f"{url}/api/chat/42", params={"message": "Hello"}, headers={"X-User": "ana"}, timeout=60)
        assert answer.json() == SECRET
        until(ledger.records, "the record")
    [record] = ledger.records()
    ledger.proved_as_worked("openai-chat", record["usage_id"])
    assert (record["user_id"], record["project_id"]) == ("ana", "shop")
    assert record["tags"] == {"route": "/api/chat/{chat_id}"}


def test_the_page_about_openai_agents(ledger: Ledger, provider: AgentProvider, tmp_path: Path) -> None:
    # the SDK sends its own traces to its maker: not from a test
    ending = "agents.set_trace_processors([])\nprint(result.final_output)"
    program = written("python-agents.md", tmp_path, ending)
    kept = (
        program.read_text()
        .replace("agents.add_trace_processor(", "agents.set_trace_processors([")
        .replace("CostOpsTracingProcessor())\n", "CostOpsTracingProcessor()])\n")
    )
    assert "add_trace_processor" not in kept
    program.write_text(kept)
    assert script(program, env=environment(ledger, provider), folder=tmp_path) == f"{SECRET}\n"
    [record] = ledger.records()
    ledger.proved_as_worked("openai-responses", record["usage_id"])
    assert record["tags"] == {"agent": "Support", "workflow": "Chat"}
    assert record["session_id"] == "thread-7"


def test_the_page_about_pydantic_ai(ledger: Ledger, provider: AgentProvider, tmp_path: Path) -> None:
    program = written("python-pydantic-ai.md", tmp_path, "print(result.output)")
    assert script(program, env=environment(ledger, provider), folder=tmp_path) == f"{SECRET}\n"
    [record] = ledger.records()
    ledger.proved_as_worked("openai-chat", record["usage_id"])
    assert (record["tags"], record["user_id"], record["session_id"]) == ({"agent": "support"}, "ana", "thread-7")


def test_the_page_about_examples_names_them_all() -> None:
    text = (GUIDES / "python-examples.md").read_text("utf-8")
    assert set(re.findall(r"\[`(\w+\.py)`\]", text)) == {path.name for path in EXAMPLES.glob("*.py")}
