"""A submission that carries a provider's own payload: what is read out of it, and the evidence that is kept.

What the provider states of its own response comes first (the model and the tier that served); what the sender says
fills the gaps, such as `processing: batch`, which no response tells. Counts come from one of the two, never from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.extraction import Extracted, ShapeBook
from cost_ops.domain.submitted import TOKEN_FIELDS
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import Quantities, Quantity

MIN_RESPONSE_ID = 16
"""Shorter ids are not taken for unique: some servers number their answers, as Ollama does with `chatcmpl-123`."""


def read_payload(sent: Any, provider: str, shapes: ShapeBook | None, problems: list[Problem]) -> Extracted | None:
    """What `usage` or `response` of a submission says; None with problems appended where it says nothing usable."""
    if shapes is None:
        problems.append(Problem("usage", "not_supported", "a provider's payload is not taken here; send token counts"))
        return None
    if sent.usage is not None and sent.response is not None:
        problems.append(Problem("usage", "ambiguous", "give usage or response, not both: a response holds its usage"))
        return None
    stated = [name for name in TOKEN_FIELDS if getattr(sent, name) is not None]
    if stated:
        name = "usage" if sent.usage is not None else "response"
        message = f"{', '.join(stated)} and {name} both tell the counts; give one of them"
        problems.append(Problem(stated[0], "ambiguous", message))
        return None
    if sent.counting is not None:
        problems.append(Problem("counting", "ambiguous", "counting is for plain counts; a payload's provider is known"))
    try:
        found = shapes.extract(
            provider, sent.response if sent.usage is None else sent.usage, whole_response=sent.usage is None
        )
    except InvalidInput as error:
        problems.extend(error.problems)
        return None
    _check_words(found, problems)
    return found


def _check_words(found: Extracted, problems: list[Problem]) -> None:
    words = {"model": found.model_id, "id": found.response_id, "tier": found.service_tier, "region": found.region}
    for name, word in words.items():
        if word and (fault := text_fault(word)):
            problems.append(Problem(f"response.{name}", fault[0], f"the payload's {name} {fault[1]}"))


def with_counters(
    quantities: Quantities, counters: Mapping[str, Quantity] | None, problems: list[Problem]
) -> Quantities:
    """The payload's quantities and what the sender counted beside them, such as web searches."""
    both = {name: quantity for name, quantity in (counters or {}).items() if quantity}
    for name, quantity in both.items():
        if name in quantities and quantities[name] != quantity:
            message = f"{name} = {quantity} but the payload says {quantities[name]}"
            problems.append(Problem(name, "contradiction", message))
    return {**quantities, **both}


def usable_response_id(text: str | None) -> str | None:
    """A response id that can stand for its response."""
    return text if text is not None and len(text) >= MIN_RESPONSE_ID else None


def evidence_of(sent: Any, extracted: Extracted | None, model_id: str) -> dict[str, Any] | None:
    """What is kept beside the counts: the provider's usage object, and what else would be lost. None for nothing."""
    requested = sent.requested_model_id or (sent.model_id.strip() if sent.model_id else None)
    response_id = sent.response_id
    evidence: dict[str, Any] = {}
    if extracted is not None:
        response_id = response_id or extracted.response_id
        evidence = {"shape": extracted.shape, "usage": extracted.usage}
        if extracted.discrepancies:
            evidence["discrepancies"] = [found._asdict() for found in extracted.discrepancies]
        if extracted.steps:
            evidence["steps"] = [step._asdict() for step in extracted.steps]
    if requested and requested != model_id:
        evidence["requested_model_id"] = requested
    if response_id:
        evidence["response_id"] = response_id
    return evidence or None
