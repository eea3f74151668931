"""What Google's client returns goes in unchanged, and costs what was worked out by hand."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google import genai

from tests.providers.sender import Sender, reads_as_worked

CASES = pytest.mark.parametrize(
    ("case", "model"),
    [("google-generate", "gemini-2.5-pro"), ("google-audio", "gemini-2.5-flash"), ("google-long", "gemini-2.5-pro")],
)
QUESTION = "How cold is it in Oslo?"


@contextmanager
def models(providers: str, case: str) -> Iterator[genai.models.Models]:
    with genai.Client(api_key="test", http_options={"base_url": f"{providers}/{case}"}) as client:
        yield client.models


@CASES
def test_an_answer_costs_the_same_as_a_whole_and_by_its_usage(
    providers: str, sender: Sender, case: str, model: str
) -> None:
    with models(providers, case) as asked:
        response = asked.generate_content(model=model, contents=QUESTION)
    assert response.usage_metadata is not None
    proof = sender.costs_as_worked(case, provider="google", response=response.model_dump())
    assert reads_as_worked(case, proof)
    usage = response.usage_metadata.model_dump()
    sender.costs_as_worked(case, provider="google", model_id=model, usage=usage)


def test_every_way_of_writing_an_answer_down_costs_the_same(providers: str, sender: Sender) -> None:
    with models(providers, "google-generate") as asked:
        response = asked.generate_content(model="gemini-2.5-pro", contents=QUESTION)
    written = (response.model_dump(), response.model_dump(mode="json", exclude_none=True), response.to_json_dict())
    ids = set()
    for whole in written:
        answer = sender.send({"provider": "google", "response": whole})
        assert answer.status in (200, 201), answer.text
        ids.add(answer.body["data"]["usage_id"])
    (usage_id,) = ids
    sender.proved_as_worked("google-generate", usage_id)


def test_a_stream_costs_the_same_though_every_chunk_repeats_the_counts(providers: str, sender: Sender) -> None:
    with models(providers, "google-generate") as asked:
        chunks = list(asked.generate_content_stream(model="gemini-2.5-pro", contents=QUESTION))
    proof = sender.costs_as_worked("google-generate", provider="google", response=[c.model_dump() for c in chunks])
    assert reads_as_worked("google-generate", proof)
    final = chunks[-1].usage_metadata
    assert final is not None
    sender.costs_as_worked("google-generate", provider="google", model_id="gemini-2.5-pro", usage=final.model_dump())
