"""The Python of the guides to openai and anthropic is run as it is printed, and costs what was worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import anthropic
import openai
import pytest
from tests.providers.fake_providers import running_providers

from ledgers import Ledger
from llm_cost_ops import client as client_module
from llm_cost_ops import default_client, uninstrument

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
_BLOCK = re.compile(r"^```python (?P<case>[\w-]+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
CALLS = {
    "python-openai.md": ["openai-chat"] * 4 + ["azure-chat"],
    "python-anthropic.md": ["anthropic-messages"] * 2 + ["bedrock-invoke"],
}


@pytest.fixture
def reader(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Runs a guide as its reader would: addresses and keys come from the environment and lead to this machine."""
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    monkeypatch.setenv("COST_OPS_ORGANIZATION", ledger.organization_id)
    monkeypatch.setattr(client_module, "_DEFAULT", [])
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.setenv(name, "test")
    with running_providers() as url, ExitStack() as stack:

        def here(kind: Any, path: str) -> Callable[..., Any]:
            def made(**settings: Any) -> Any:
                return stack.enter_context(kind(**{**settings, _ADDRESS[kind]: f"{url}/{path}", "max_retries": 0}))

            return made

        def run(guide: str) -> None:
            names: dict[str, Any] = {}
            for block in _BLOCK.finditer((GUIDES / guide).read_text("utf-8")):
                for kind, (module, path) in _CLIENTS.items():
                    monkeypatch.setattr(module, kind.__name__, here(kind, f"{block['case']}{path}"))
                exec(block["code"], names)

        yield run
        uninstrument()


_CLIENTS: dict[Any, tuple[Any, str]] = {
    openai.OpenAI: (openai, "/v1"),
    openai.AzureOpenAI: (openai, ""),
    anthropic.Anthropic: (anthropic, ""),
    anthropic.AnthropicBedrock: (anthropic, ""),
}
_ADDRESS = {kind: "azure_endpoint" if kind is openai.AzureOpenAI else "base_url" for kind in _CLIENTS}


@pytest.mark.parametrize("guide", CALLS)
def test_a_guide_does_what_it_says(reader: Callable[[str], None], ledger: Ledger, guide: str) -> None:
    reader(guide)
    assert default_client().flush(timeout=30)
    default_client().close()
    records = ledger.records()
    assert len(records) == len(CALLS[guide])
    for case, record in zip(CALLS[guide], records):
        ledger.proved_as_worked(case, record["usage_id"])
    assert (records[2]["project_id"] == "search") is (guide == "python-openai.md")


@pytest.mark.parametrize("guide", CALLS)
def test_every_sample_of_a_guide_is_run(guide: str) -> None:
    text = (GUIDES / guide).read_text("utf-8")
    assert text.count("```python") == len(_BLOCK.findall(text))
