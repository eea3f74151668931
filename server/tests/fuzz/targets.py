"""What is fuzzed: for each way in, how a numbered input is made and what it is put through.

An input is made of a seed, a target's name and a number, and of nothing else: the same three give it again.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from cost_ops.api.decoding import read_record, read_value
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.errors import CostOpsError, InvalidInput
from cost_ops.domain.exact_json import parse_json
from cost_ops.domain.periods import to_us
from cost_ops.domain.submission import Intake
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.recording import NewRecord
from cost_ops.services import usage
from cost_ops.storage.rows import COLUMNS, values_of
from tests.fuzz import corpus
from tests.fuzz.invariants import check_extracted, check_priced, check_refusal
from tests.fuzz.mutating import Mutator, encoded

ORGANIZATION = "fuzz"
_JSON_COLUMNS = ("tags", "metadata", "meters", "evidence")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL that is escaped in JSON, which PostgreSQL refuses; not a backslash before the letter u."""


class World:
    """An installation that inputs are put to, without storing any."""

    def __init__(self, application: Application) -> None:
        """`application` has the catalogue's prices."""
        self.ctx: Context = application.context(OWNER)
        self.book = application.books.current()
        self.shapes = application.shapes
        self.intake = Intake(
            self.book.names,
            to_us(application.clock()),
            organization_id=ORGANIZATION,
            fallback_key="key",
            shapes=application.shapes,
        )

    def check(self, submission: UsageSubmission) -> None:
        """Hold a submission to what is promised of its amount, and of the row that would be stored."""
        check_priced(self.ctx, self.book, submission)
        try:
            priced = usage.price(self.ctx, self.book, submission, itemised=False)
        except CostOpsError:
            return
        record = NewRecord(
            submission, 0, None, priced.status, priced.currency, priced.cost_e10, priced.price_number, None
        )
        stored = values_of(record._replace(step_prices=priced.step_prices))
        for column, value in zip(COLUMNS, stored, strict=True):
            _check_storable(value, is_json=column in _JSON_COLUMNS)


def _check_storable(value: Any, *, is_json: bool) -> None:
    """Both databases have to take it: 64 bits, and texts that are UTF-8 without NUL."""
    assert not isinstance(value, int) or -(2**63) <= value < 2**63, value
    if isinstance(value, str):
        assert value.encode("utf-8") is not None
        assert "\0" not in value, value
        assert not is_json or not _NUL.search(value), value


class Target(NamedTuple):
    """A way in. `check` returns whether the input was taken; it raises AssertionError for a broken promise.

    `share` is how often it gets its turn, against the others.
    """

    name: str
    share: int
    make: Callable[[random.Random], Any]
    check: Callable[[World, Any], bool]


def input_of(target: Target, seed: int, number: int) -> Any:
    """The input of a number."""
    return target.make(random.Random(f"{seed}/{target.name}/{number}"))


class SentPayload(NamedTuple):
    """A payload as Python values, and for whom."""

    provider: str
    whole: bool
    value: Any


_PROVIDERS = ("openai", "anthropic", "google", "aws", "cohere", "x-ai", "groq", "mistral", "deepseek", "nobody-knows")


def _varied(chance: random.Random) -> SentPayload:
    """A known payload, changed; sometimes to another provider, or as the other of usage and response."""
    known = chance.choice(corpus.payloads())
    mutator = Mutator(chance, corpus.payload_names())
    value = mutator.varied(parse_json(known.text), most=5)
    provider = chance.choice(_PROVIDERS) if chance.random() < 0.1 else known.provider
    return SentPayload(provider, known.whole ^ (chance.random() < 0.05), value)


def _arbitrary(chance: random.Random) -> SentPayload:
    mutator = Mutator(chance, corpus.payload_names())
    value = mutator.any_value(4)
    if chance.random() < 0.7:
        value = {chance.choice(("usage", "usageMetadata", "usage_metadata", "metrics", "meta", "response")): value}
    return SentPayload(chance.choice(_PROVIDERS), chance.random() < 0.8, value)


def _extract(world: World, sent: SentPayload) -> bool:
    try:
        check_extracted(world.shapes, sent.provider, sent.value, whole=sent.whole)
    except CostOpsError as error:
        check_refusal(error)
        return False
    return True


def _record(chance: random.Random) -> bytes:
    """The bytes of a record: flat counts or a payload, changed as values and sometimes as bytes."""
    fields: dict[str, Any] = {"organization_id": ORGANIZATION, "model_id": "gpt-5", "provider": "openai"}
    mutator = Mutator(chance, (*corpus.RECORD_NAMES, "model", "extra"))
    if chance.random() < 0.5:
        sent = _varied(chance)
        fields |= {"provider": sent.provider, "response" if sent.whole else "usage": sent.value}
        fields |= {} if chance.random() < 0.7 else {chance.choice(corpus.RECORD_NAMES): mutator.any_value(2)}
    else:
        fields |= {"input_tokens": chance.randrange(9_000), "output_tokens": chance.randrange(900)}
        fields |= {chance.choice(corpus.RECORD_NAMES): mutator.any_value(2) for _ in range(chance.randrange(4))}
        fields = mutator.varied(fields)
    body = encoded(fields)
    return mutator.varied_bytes(body) if chance.random() < 0.2 else body


def _post(world: World, body: bytes) -> bool:
    """Both decoders: the typed one with the plain one behind it, and the plain one alone, come to the same.

    But for depth: the typed one does not look how deep a payload is nested, as what it does not read cannot do harm.
    """
    outcomes = [_outcome(lambda: read_record(body, world.intake)), _outcome(lambda: _plainly(body, world.intake))]
    first, second = outcomes
    if isinstance(first, CostOpsError):
        check_refusal(first)
        assert isinstance(second, CostOpsError), f"refused with {first.message}, taken the plain way"
        return False
    if isinstance(second, InvalidInput) and second.problems[0].reason == "too_deep":
        return False
    assert not isinstance(second, CostOpsError), f"taken, refused the plain way: {second}"
    assert _comparable(first) == _comparable(second)
    world.check(first)
    return True


def _outcome(read: Callable[[], UsageSubmission]) -> UsageSubmission | CostOpsError:
    try:
        return read()
    except CostOpsError as error:
        return error


def _plainly(body: bytes, intake: Intake) -> UsageSubmission:
    from cost_ops.api.bodies import parse_json as parse_body

    return read_value(parse_body(body), intake)


def _comparable(submission: UsageSubmission) -> UsageSubmission:
    """Without the default price, which holds an object of its own."""
    return replace(submission, default_price=None)


def all_targets() -> Mapping[str, Target]:
    """Every way in, by name."""
    from tests.fuzz import targets_events, targets_files, targets_spans

    found = (
        Target("payload", 34, _varied, _extract),
        Target("arbitrary", 10, _arbitrary, _extract),
        Target("record", 16, _record, _post),
        targets_spans.PROTOBUF,
        targets_spans.JSON,
        targets_files.FILES,
        targets_events.EVENTS,
    )
    return {target.name: target for target in found}
