"""The recorded answers have the form that the providers' clients declare, so the servers here answer as theirs do."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse
from google.genai.types import GenerateContentResponse
from mistralai.client.models import ChatCompletionResponse, CompletionChunk
from openai import OpenAI
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.providers.fake_providers import ANSWERS, case
from tests.providers.test_worked_amounts import in_snake_case

FORMS: dict[str, tuple[Any, Any]] = {
    "openai-chat": (ChatCompletion, ChatCompletionChunk),
    "openai-priority": (ChatCompletion, None),
    "azure-chat": (ChatCompletion, None),
    "openai-responses": (Response, ResponseStreamEvent),
    "openai-embeddings": (CreateEmbeddingResponse, None),
    "anthropic-messages": (Message, RawMessageStreamEvent),
    "anthropic-long": (Message, None),
    "bedrock-invoke": (Message, RawMessageStreamEvent),
    "google-generate": (GenerateContentResponse, GenerateContentResponse),
    "google-audio": (GenerateContentResponse, None),
    "google-long": (GenerateContentResponse, None),
    "mistral-chat": (ChatCompletionResponse, CompletionChunk),
    "cohere-chat": (V2ChatResponse, V2ChatStreamResponse),
}
BEDROCK = {"bedrock-converse": "TokenUsage"}
UNDECLARED = {"mistral-chat": {"prompt_tokens_details"}}
"""What a provider sends without declaring it."""


def test_every_recorded_answer_is_held_to_its_form() -> None:
    assert FORMS.keys() | BEDROCK.keys() == {path.stem for path in ANSWERS.glob("*.json")}


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_and_its_events_are_what_the_client_declares(name: str) -> None:
    whole, event = FORMS[name]
    answer = TypeAdapter(whole).validate_python(case(name)["answer"])
    usage = getattr(answer, "usage", None) or answer.usage_metadata
    assert set(undeclared(usage)) == UNDECLARED.get(name, set())
    events = [one for one in case(name).get("events", []) if one.get("type") != "ping"]
    assert (event is None) == (not events)
    for one in events:
        TypeAdapter(event).validate_python(one)


def test_converse_counts_by_the_names_of_the_service_model() -> None:
    model = boto3.client("bedrock-runtime").meta.service_model
    for name, shape in BEDROCK.items():
        declared = model.shape_for(shape).members
        assert case(name)["answer"]["usage"].keys() <= declared.keys()
        details = declared["cacheDetails"].member.members
        assert all(detail.keys() <= details.keys() for detail in case(name)["answer"]["usage"]["cacheDetails"])


def undeclared(value: Any) -> Iterator[str]:
    """Names of fields that a model has but does not declare, at any depth."""
    if isinstance(value, BaseModel):
        yield from value.model_extra or {}
        for name in type(value).model_fields:
            yield from undeclared(getattr(value, name, None))


def test_a_field_that_is_not_declared_is_noticed() -> None:
    answer = {**case("openai-chat")["answer"], "usage": {**case("openai-chat")["answer"]["usage"], "invented": 1}}
    assert list(undeclared(ChatCompletion.model_validate(answer).usage)) == ["invented"]
    assert in_snake_case({"promptTokenCount": 1}) == {"prompt_token_count": 1}


def test_no_client_gets_beyond_this_machine() -> None:
    with OpenAI(api_key="test", max_retries=0) as client, pytest.raises(Exception, match="Connection error") as caught:
        client.models.list()
    reasons, reason = [], caught.value.__cause__
    while reason is not None:
        reasons.append(str(reason))
        reason = reason.__cause__ or reason.__context__
    assert any("a test tried to reach" in text for text in reasons)
