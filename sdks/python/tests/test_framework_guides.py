"""The Python on the pages about LangChain and LlamaIndex runs as it is printed, and does what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.instrumentation import get_dispatcher
from seeds.printed import snippet
from test_llama_index import Model

from ledgers import Ledger
from llm_cost_ops import client, default_client

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
_BLOCK = re.compile(r"^```python(?P<marked> [\w.-]+)?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, *, marked: bool = False) -> list[str]:
    """A page's blocks of Python, in their order: those without a mark, or those with one."""
    found = _BLOCK.finditer((GUIDES / page).read_text("utf-8"))
    return [block["code"] for block in found if bool(block["marked"]) is marked]


@pytest.fixture
def reader(ledger: Ledger, providers: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The environment that the pages tell their reader to have."""
    monkeypatch.setattr(client, "_DEFAULT", [])
    environment = {
        "COST_OPS_API_KEY": ledger.key,
        "COST_OPS_API_URL": ledger.url,
        "COST_OPS_ORGANIZATION": ledger.organization_id,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{providers}/openai-chat/v1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield ledger
    default_client().close()


def test_the_page_about_langchain(reader: Ledger) -> None:
    names: dict[str, object] = {}
    for code in blocks("python-langchain.md"):
        exec(code, names)
    assert default_client().flush(timeout=30)
    first, of_a_chain, in_a_context, streamed = reader.records()
    for record in (first, of_a_chain, in_a_context, streamed):
        reader.proved_as_worked("openai-chat", record["usage_id"])
    belongs = [of_a_chain[name] for name in ("project_id", "user_id", "session_id", "tags")]
    assert belongs == ["search", "ana", "s-1", {"env": "prod", "beta": "true"}]
    assert (in_a_context["team_id"], in_a_context["tags"]) == ("web", {"env": "test"})


def test_the_page_about_langchain_prints_what_the_faq_printed() -> None:
    assert blocks("python-langchain.md", marked=True) == [snippet("faq", "LangChain")]


def test_the_page_about_llama_index(reader: Ledger, providers: str) -> None:
    from openai import OpenAI

    handlers = list(get_dispatcher().event_handlers)
    with OpenAI() as asked:
        names = {"llm": Model(asked=asked)}
        try:
            for code in blocks("python-llama-index.md"):
                exec(code, names)
        finally:
            get_dispatcher().event_handlers[:] = handlers
    assert default_client().flush(timeout=30)
    first, tagged = reader.records()
    reader.proved_as_worked("openai-chat", first["usage_id"])
    assert (tagged["project_id"], tagged["user_id"], tagged["tags"]) == ("search", "ana", {"env": "prod"})
