"""What is varied: every payload and file under `contracts/fixtures`, and spans as instrumentations write them."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cost_ops.domain.exact_json import json_text
from cost_ops.domain.span_names import COUNTS, TEXTS
from cost_ops.domain.submitted import FIELD_NAMES
from tests.domain.usage_fixtures import cases
from tests.fuzz.mutating import names_in

RECORD_NAMES = FIELD_NAMES
"""Every field of a usage record."""

FIXTURES = Path(__file__).parents[3] / "contracts" / "fixtures"


class Payload(NamedTuple):
    """A provider's payload as JSON text."""

    provider: str
    whole: bool
    text: str


@cache
def payloads() -> tuple[Payload, ...]:
    """Every payload that we know, those that are refused included."""
    return tuple(
        Payload(case["provider"], case["whole_response"], json_text(case["payload"]))
        for wanted in ("expect", "error")
        for _, case in cases(wanted)
    )


@cache
def payload_names() -> tuple[str, ...]:
    """Every field name in them."""
    return names_in([case["payload"] for wanted in ("expect", "error") for _, case in cases(wanted)])


@cache
def files() -> tuple[tuple[str, bytes], ...]:
    """(name, content) of every file of another system."""
    found = sorted(path for path in (FIXTURES / "files").rglob("*") if path.is_file())
    return tuple((path.name, path.read_bytes()) for path in found)


@cache
def span_attributes() -> tuple[dict[str, Any], ...]:
    """Calls as six families of instrumentations describe them, one for each place in the list of a field's names."""
    found = []
    for place in range(6):
        attributes: dict[str, Any] = {"gen_ai.operation.name": "chat"}
        for number, names in enumerate(COUNTS.values(), 1):
            if number <= 2 or (place + number) % 3 == 0:
                attributes[names[min(place, len(names) - 1)]] = 10_000 // number
        texts = {"provider": "openai", "request_model": "gpt-5", "response_model": "gpt-5", "session_id": "s-1"}
        for field, value in texts.items():
            attributes[TEXTS[field][min(place, len(TEXTS[field]) - 1)]] = value
        attributes["cost_ops.tag.team"] = "search"
        found.append(attributes)
    return tuple(found)


@cache
def span_names() -> tuple[str, ...]:
    """Every attribute that is read."""
    return tuple(sorted({name for table in (COUNTS, TEXTS) for names in table.values() for name in names}))
