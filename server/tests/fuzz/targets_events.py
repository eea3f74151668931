"""CloudEvents, structured and binary, with data, attributes and headers changed."""

import base64
import random
from typing import Any, NamedTuple

from cost_ops.api.bodies import parse_json
from cost_ops.api.cloud_event_data import KNOWN_TYPES, record_of
from cost_ops.api.cloud_event_forms import read_binary, read_structured
from cost_ops.api.decoding import read_value
from cost_ops.domain.errors import CostOpsError
from tests.fuzz import corpus
from tests.fuzz.invariants import check_refusal
from tests.fuzz.mutating import Mutator, encoded
from tests.fuzz.targets import Target, World


class SentEvent(NamedTuple):
    """An event: everything in the body, or with attributes in the headers."""

    headers: dict[bytes, bytes] | None
    body: bytes


def _event(chance: random.Random) -> SentEvent:
    kind = chance.choice(KNOWN_TYPES)
    flat = {"provider": "openai", "model_id": "gpt-5", "input_tokens": 120, "output_tokens": 30}
    metered = {"provider": "openai", "model": "gpt-5", "tokens": "120", "type": "input"}
    data: Any = dict(flat if "usage" in kind else metered)
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"event-{chance.randrange(10**6)}",
        "source": "urn:service:search",
        "type": kind,
        "time": "2026-03-02T09:15:00Z",
        "subject": "user-1",
    }
    mutator = Mutator(chance, (*event, *data, *corpus.RECORD_NAMES, "data_base64", "datacontenttype"))
    data = mutator.varied(data)
    if chance.random() < 0.4:
        headers = {f"ce-{name}".encode(): str(value).encode() for name, value in event.items()}
        name = chance.choice(list(headers))
        headers[name] = mutator.varied_bytes(headers[name])
        body = encoded(data)
        return SentEvent(headers, mutator.varied_bytes(body) if chance.random() < 0.2 else body)
    if chance.random() < 0.2:
        event["data_base64"] = base64.b64encode(encoded(data)).decode()
    else:
        event["data"] = data
    body = encoded(mutator.varied(event, most=2) if chance.random() < 0.7 else event)
    return SentEvent(None, mutator.varied_bytes(body) if chance.random() < 0.2 else body)


def _take(world: World, sent: SentEvent) -> bool:
    try:
        event = read_structured(parse_json(sent.body)) if sent.headers is None else read_binary(sent.headers, sent.body)
        world.check(read_value(record_of(event), world.intake))
    except CostOpsError as error:
        check_refusal(error)
        return False
    return True


EVENTS = Target("event", 8, _event, _take)
