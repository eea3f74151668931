"""Usage: what a caller says, and the disjoint buckets that are priced.

A flat submission counts as OpenTelemetry does: `input_tokens` includes cached and cache-write tokens, `output_tokens`
includes reasoning. A sender whose numbers exclude them says `counting: exclusive`. Either way the result is a mapping
from meter to quantity in which every token stands exactly once (see docs/explanation/pricing.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from cost_ops.domain.errors import Problem
from cost_ops.domain.meters import INPUT_METERS, METERS, OUTPUT_METERS

Quantity = int | Decimal
"""Tokens are whole; seconds and billed units may be decimal."""

Quantities = dict[str, Quantity]
"""Meter name → quantity; only what is not zero."""

MAX_TOKENS = 10**12
"""More tokens than this in one count are refused: no call has them, and sums stay inside 64 bits."""

Counting = Literal["inclusive", "exclusive"]


@dataclass(slots=True)
class FlatCounts:
    """The counts of a flat submission, as sent; None means not sent, which is not zero."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    input_video_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    output_video_tokens: int | None = None


INPUT_PARTS = (
    ("cached_tokens", "input_cache_read"),
    ("cache_write_tokens", "input_cache_write_5m"),
    ("cache_write_1h_tokens", "input_cache_write_1h"),
    ("input_audio_tokens", "input_audio"),
    ("input_image_tokens", "input_image"),
    ("input_video_tokens", "input_video"),
)
OUTPUT_PARTS = (
    ("reasoning_tokens", "output_reasoning"),
    ("output_audio_tokens", "output_audio"),
    ("output_image_tokens", "output_image"),
    ("output_video_tokens", "output_video"),
)
_PART_NAMES = tuple(name for name, _ in (*INPUT_PARTS, *OUTPUT_PARTS))
_parts_of = attrgetter(*_PART_NAMES)
_NO_PARTS = (None,) * len(_PART_NAMES)


class Buckets(NamedTuple):
    """Normalised usage: disjoint quantities, and whether a split had to be assumed."""

    quantities: Quantities
    estimated: bool = False


def disjoint(
    counts: FlatCounts, counters: Mapping[str, Quantity] | None, counting: Counting, problems: list[Problem]
) -> Buckets:
    """Disjoint buckets of a flat submission; every contradiction is appended to `problems`.

    Only `total_tokens` given: all of it is taken as output and the result is marked `estimated`.
    """
    if counts.input_tokens is None and counts.output_tokens is None:
        return _from_total(counts, counters, problems)
    quantities: Quantities = {}
    input_inside = output_inside = 0
    input_rest, output_rest = counts.input_tokens or 0, counts.output_tokens or 0
    parted = _parts_of(counts) != _NO_PARTS
    if parted:
        input_inside = _take(counts, INPUT_PARTS, quantities)
        output_inside = _take(counts, OUTPUT_PARTS, quantities)
    if parted and counting == "inclusive":
        _check_inside(counts, "input", input_inside, problems)
        _check_inside(counts, "output", output_inside, problems)
        input_rest, output_rest = input_rest - input_inside, output_rest - output_inside
    if input_rest > 0:
        quantities["input"] = input_rest
    if output_rest > 0:
        quantities["output"] = output_rest
    _check_total(counts, counting, input_inside + input_rest + output_inside + output_rest, problems)
    if counters:
        _add_counters(quantities, counters)
    if not quantities and not problems:
        problems.append(_nothing_used())
    return Buckets(quantities)


def _from_total(counts: FlatCounts, counters: Mapping[str, Quantity] | None, problems: list[Problem]) -> Buckets:
    quantities: Quantities = {}
    stray = [name for name in _PART_NAMES if getattr(counts, name)]
    if stray:
        problems.append(
            Problem(
                "input_tokens",
                "missing_required_field",
                f"input_tokens and output_tokens are required where {', '.join(stray)} is given",
            )
        )
    if counts.total_tokens:
        quantities["output"] = counts.total_tokens
    _add_counters(quantities, counters)
    if not quantities and not problems:
        if counts.total_tokens is None and not counters:
            problems.extend(
                Problem(name, "missing_required_field", f"{name} is required")
                for name in ("input_tokens", "output_tokens")
            )
        else:
            problems.append(_nothing_used())
    return Buckets(quantities, estimated=bool(counts.total_tokens))


def _take(counts: FlatCounts, parts: tuple[tuple[str, str], ...], quantities: Quantities) -> int:
    """Put the stated parts of one side into their buckets; how many tokens they are."""
    inside = 0
    for name, meter in parts:
        tokens: int | None = getattr(counts, name)
        if tokens:
            quantities[meter] = tokens
            inside += tokens
    return inside


def _check_inside(counts: FlatCounts, side: str, inside: int, problems: list[Problem]) -> None:
    """Parts that the whole includes cannot be more than the whole."""
    whole: int = getattr(counts, f"{side}_tokens") or 0
    if inside <= whole:
        return
    parts = INPUT_PARTS if side == "input" else OUTPUT_PARTS
    names = [name for name, _ in parts if getattr(counts, name)]
    message = (
        f"{' + '.join(names)} = {inside} is more than {side}_tokens = {whole}, which includes it "
        '(send "counting": "exclusive" if your numbers exclude each other)'
    )
    problems.append(Problem(names[0], "exceeds_total", message))


def _check_total(counts: FlatCounts, counting: Counting, disjoint_total: int, problems: list[Problem]) -> None:
    """A total must be what its parts add up to, cached tokens counted once or, where they stand beside, left out."""
    total = counts.total_tokens
    if total is None or total == disjoint_total:
        return
    plain = (counts.input_tokens or 0) + (counts.output_tokens or 0)
    if counting == "exclusive" and total == plain:
        return
    problems.append(
        Problem(
            "total_tokens",
            "total_mismatch",
            f"total_tokens = {total} is not input_tokens + output_tokens = {disjoint_total}",
        )
    )


def _add_counters(quantities: Quantities, counters: Mapping[str, Quantity] | None) -> None:
    for name, quantity in (counters or {}).items():
        if quantity:
            quantities[name] = quantity


def _nothing_used() -> Problem:
    return Problem(
        "input_tokens",
        "nothing_used",
        "at least one quantity must be more than zero: tokens, or a counter such as images",
    )


def token_totals(quantities: Mapping[str, Quantity]) -> tuple[int, int]:
    """(input, output) tokens, each counted once: prompts with cached and written ones, answers with reasoning.

    These are OpenTelemetry's `gen_ai.usage.input_tokens` and `gen_ai.usage.output_tokens`.
    """
    sent = received = 0
    for meter, quantity in quantities.items():
        if meter in INPUT_METERS:
            sent += quantity  # type: ignore[assignment]
        elif meter in OUTPUT_METERS:
            received += quantity  # type: ignore[assignment]
    return sent, received


def cached_tokens(quantities: Mapping[str, Quantity]) -> int:
    """Input tokens that were read from a cache, of any kind."""
    return int(quantities.get("input_cache_read", 0)) + int(quantities.get("input_audio_cache_read", 0))


class Step(NamedTuple):
    """One priced step of a response that had several; without a model it ran on the response's own."""

    model_id: str | None
    quantities: Quantities
    kind: str


COUNTER_NAMES = tuple(name for name, meter in METERS.items() if meter.side == "counter")


@dataclass(slots=True)
class UsageSubmission:
    """One usage record as every way in hands it to the service: parsed, checked, in buckets, not yet priced.

    Not to be changed once made; it is not frozen only because that would triple the cost of making one.

    `timestamp_us` is when the call was made, `received_us` when it reached us (both microseconds since 1970, UTC).
    `source` and `key` are the caller's identity for it; `payload_hash` tells a replay from a conflict. `response_id` is
    the provider's: the same call from another source has the same. `steps` are there where a response had several that
    are priced apart; `quantities` are then their sum. `evidence` is the provider's own usage object with what was read.
    """

    organization_id: str
    provider: str
    model_id: str
    quantities: Quantities
    timestamp_us: int
    received_us: int
    payload_hash: int
    source: str = "api"
    key: str | None = None
    estimated: bool = False
    project_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    session_id: str | None = None
    api_key_id: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    region: str | None = None
    latency_ms: int | None = None
    reported_cost_e10: int | None = None
    reported_currency: str | None = None
    default_price: Any = None
    tags: Mapping[str, str] | None = None
    metadata: Mapping[str, Any] | None = None
    response_id: str | None = None
    steps: Sequence[Step] = ()
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """A stored record with its current cost. `cost_e10` is None where no price is known."""

    usage_id: str
    organization_id: str
    timestamp: datetime
    received_at: datetime
    provider: str
    model_id: str
    quantities: Quantities
    status: str
    currency: str | None
    cost_e10: int | None
    price_id: int | None
    project_id: str | None = None
    user_id: str | None = None
    team_id: str | None = None
    session_id: str | None = None
    api_key_id: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    region: str | None = None
    latency_ms: int | None = None
    reported_cost_e10: int | None = None
    estimated: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] | None = None
    """Where the counts came from: the shape, the provider's usage object, what contradicted (see `domain.evidence`)."""
    step_prices: Sequence[int | None] = ()
