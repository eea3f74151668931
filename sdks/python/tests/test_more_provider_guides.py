"""The Python of the guides to the other providers' clients is run as it is printed, and costs what was worked out by hand."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Callable

import boto3
import cohere
import mistralai.client
import pytest
from google import genai

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

from ledgers import Ledger
from llm_cost_ops import client as client_module
from llm_cost_ops import uninstrument

GUIDES = Path(__file__).parents[3] / "docs" / "guides"
_BLOCK = re.compile(r"^```python (?P<case>[\w-]+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
CALLS = {
    "python-google.md": ["google-generate"] * 3,
    "python-mistral.md": ["mistral-chat"] * 3,
    "python-cohere.md": ["cohere-chat"] * 3,
    "python-bedrock.md": ["bedrock-converse", "bedrock-converse", "bedrock-invoke"],
    "python-litellm.md": ["openai-chat"] * 2,
}
Made = Callable[..., Any]
CLIENTS: list[tuple[Any, str, Callable[[Made, str], Made]]] = [
    (genai, "Client", lambda made, url: lambda **_: made(api_key="test", http_options={"base_url": url})),
    (mistralai.client, "Mistral", lambda made, url: lambda **said: made(server_url=url, **said)),
    (cohere, "ClientV2", lambda made, url: lambda **_: made(api_key="test", base_url=url)),
    (boto3, "client", lambda made, url: lambda name: closing(made(name, endpoint_url=url))),
]
"""What the guides make a client with, and how it is led to this machine."""


@pytest.fixture
def reader(ledger: Ledger, providers: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Runs a guide as its reader would: addresses and keys come from the environment and lead to this machine."""
    monkeypatch.setenv("COST_OPS_API_URL", ledger.url)
    monkeypatch.setenv("COST_OPS_API_KEY", ledger.key)
    monkeypatch.setenv("COST_OPS_ORGANIZATION", ledger.organization_id)
    monkeypatch.setenv("MISTRAL_API_KEY", "test")
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setattr(client_module, "_DEFAULT", [])
    makers = [getattr(module, name) for module, name, _ in CLIENTS]
    with ExitStack() as stack:

        def here(made: Made) -> Made:
            return lambda *args, **said: stack.enter_context(made(*args, **said))

        def run(guide: str) -> None:
            names: dict[str, Any] = {}
            for block in _BLOCK.finditer((GUIDES / guide).read_text("utf-8")):
                url = f"{providers}/{block['case']}"
                monkeypatch.setattr(litellm, "api_base", f"{url}/v1")
                for (module, name, led), made in zip(CLIENTS, makers):
                    monkeypatch.setattr(module, name, here(led(made, url)))
                exec(block["code"], names)

        yield run
        uninstrument()


@pytest.mark.filterwarnings("ignore")  # litellm warns of itself in many ways
@pytest.mark.parametrize("guide", CALLS)
def test_a_guide_does_what_it_says(reader: Callable[[str], None], ledger: Ledger, guide: str) -> None:
    reader(guide)
    deadline = time.monotonic() + 30
    while ledger.totals()[0] < len(CALLS[guide]) and time.monotonic() < deadline:
        time.sleep(0.02)
    client_module.default_client().close()
    records = ledger.records()
    assert len(records) == len(CALLS[guide])
    for case, record in zip(CALLS[guide], records):
        ledger.proved_as_worked(case, record["usage_id"])
    assert (records[-1]["project_id"], records[-1]["user_id"]) == ("search", "ana")


@pytest.mark.parametrize("guide", CALLS)
def test_every_sample_of_a_guide_is_run(guide: str) -> None:
    text = (GUIDES / guide).read_text("utf-8")
    assert text.count("```python") == len(_BLOCK.findall(text))
