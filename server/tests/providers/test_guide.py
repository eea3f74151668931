"""The snippets of the guide are run as they are printed, and cost what was worked out by hand."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import cohere
import pytest
from anthropic import Anthropic
from google import genai
from langchain_openai import ChatOpenAI
from mistralai.client import Mistral
from openai import AzureOpenAI, OpenAI

from tests.providers.fake_providers import ANSWERS
from tests.providers.sender import MOMENT, Sender

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "provider-responses.md"
_BLOCK = re.compile(r"^```python (?P<case>[\w-]+)(?P<stream> stream)?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
WORKED_AS = {"langchain": "openai-chat"}
NOT_IN_THE_GUIDE = {"openai-priority", "anthropic-long", "google-audio", "google-long"}
"""Recorded answers whose calls are the same as those of another."""


class Snippet(NamedTuple):
    """A block of the guide."""

    case: str
    streamed: bool
    code: str


SETUP, *SNIPPETS = [Snippet(b["case"], bool(b["stream"]), b["code"]) for b in _BLOCK.finditer(GUIDE.read_text("utf-8"))]
QUESTION = "How cold is it in Oslo?"
ASKED: dict[str, Any] = {
    "question": QUESTION,
    "messages": [{"role": "user", "content": QUESTION}],
    "bedrock_messages": [{"role": "user", "content": [{"text": QUESTION}]}],
    "body": json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1000, "messages": []}),
}
MAKERS: dict[str, Callable[[str], Any]] = {
    "openai": lambda url: OpenAI(api_key="test", base_url=f"{url}/v1", max_retries=0),
    "azure": lambda url: AzureOpenAI(api_key="test", azure_endpoint=url, api_version="2024-10-21", max_retries=0),
    "anthropic": lambda url: Anthropic(api_key="test", base_url=url, max_retries=0),
    "google": lambda url: genai.Client(api_key="test", http_options={"base_url": url}),
    "mistral": lambda url: Mistral(api_key="test", server_url=url),
    "cohere": lambda url: cohere.ClientV2(api_key="test", base_url=url),
    "bedrock": lambda url: closing(boto3.client("bedrock-runtime", endpoint_url=url)),
}


@pytest.fixture
def reader(providers: str, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Snippet], Any]]:
    """Runs a snippet as its reader would, and gives what `send` returned."""
    monkeypatch.setenv("COST_OPS_API_URL", sender.server.url)
    monkeypatch.setenv("COST_OPS_API_KEY", sender.key)
    setup = SETUP.code.replace('"org-123"', f'"{sender.organization_id}", "timestamp": "{MOMENT}"')
    with ExitStack() as stack:

        def run(snippet: Snippet) -> Any:
            url = f"{providers}/{WORKED_AS.get(snippet.case, snippet.case)}"
            names: dict[str, Any] = dict(ASKED)
            if snippet.case == "langchain":
                names["model"] = ChatOpenAI(model="gpt-5", api_key="test", base_url=f"{url}/v1", max_retries=0)
            else:
                names["client"] = stack.enter_context(MAKERS[snippet.case.partition("-")[0]](url))
            lines = snippet.code.rstrip().splitlines()
            assert lines[-1].startswith("send("), "a snippet ends with sending"
            lines[-1] = f"sent = {lines[-1]}"
            exec("\n".join([setup, *lines]), names)
            return names["sent"]

        yield run


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: f"{s.case}{' stream' if s.streamed else ''}")
def test_a_snippet_costs_what_was_worked_out(
    reader: Callable[[Snippet], Any], sender: Sender, snippet: Snippet
) -> None:
    sent = reader(snippet)
    sender.proved_as_worked(WORKED_AS.get(snippet.case, snippet.case), sent["usage_id"])


def test_the_guide_has_every_call_and_every_stream_that_was_recorded() -> None:
    recorded = {path.stem: json.loads(path.read_text("utf-8")) for path in ANSWERS.glob("*.json")}
    shown = {(s.case, s.streamed) for s in SNIPPETS if s.case not in WORKED_AS}
    calls = {(name, False) for name in recorded.keys() - NOT_IN_THE_GUIDE}
    streams = {(name, True) for name, case in recorded.items() if "stream_path" in case}
    assert shown == calls | streams


def test_the_ends_of_a_long_stream_are_enough(providers: str, sender: Sender) -> None:
    asked: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 1000, "messages": ASKED["messages"]}
    with MAKERS["anthropic"](f"{providers}/anthropic-messages") as client:
        events = [event.model_dump() for event in client.messages.create(stream=True, **asked)]
    proof = sender.costs_as_worked("anthropic-messages", provider="anthropic", response=[events[0], *events[-2:]])
    assert sender.send({"provider": "anthropic", "response": events}).status == 200
    assert sender.totals() == (1, Decimal(proof["recomputed_cost"]))
