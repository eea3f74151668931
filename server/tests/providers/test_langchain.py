"""What LangChain makes of a response goes in unchanged, and costs what was worked out by hand."""

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.providers.sender import Sender


def model(providers: str) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-5", api_key=SecretStr("sk-test"), base_url=f"{providers}/openai-chat/v1", max_retries=0
    )


def test_a_messages_usage_costs_the_same_as_the_response_it_was_made_of(providers: str, sender: Sender) -> None:
    message = model(providers).invoke("How cold is it in Oslo?")
    assert isinstance(message, AIMessage)
    said = {"provider": "openai", "model_id": message.response_metadata["model_name"]}
    sender.costs_as_worked("openai-chat", **said, usage=message.usage_metadata)
    sender.costs_as_worked("openai-chat", **said, usage=message.response_metadata["token_usage"])


def test_the_sum_of_a_stream_costs_the_same(providers: str, sender: Sender) -> None:
    whole: AIMessageChunk | None = None
    for chunk in model(providers).stream("How cold is it in Oslo?", stream_usage=True):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    sender.costs_as_worked("openai-chat", provider="openai", model_id="gpt-5", usage=whole.usage_metadata)
