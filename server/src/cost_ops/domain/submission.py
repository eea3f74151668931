"""From the fields of a usage record, as the API and files have them, to a checked `UsageSubmission`.

`submitted.read_fields` has checked types (or an edge's typed decoder has); `build` checks meaning. Both report all
problems of an input at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from cost_ops.domain.access import ORGANIZATION_ID
from cost_ops.domain.errors import CostOpsError, InvalidInput, Problem
from cost_ops.domain.extraction import Extracted, ShapeBook
from cost_ops.domain.identity import payload_hash
from cost_ops.domain.money import e10_from_decimal, is_currency
from cost_ops.domain.payloads import evidence_of, read_payload, usable_response_id, with_counters
from cost_ops.domain.periods import format_instant, from_us, to_us
from cost_ops.domain.pricebook import ProviderNames
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.submitted import TEXT_FIELDS
from cost_ops.domain.text import all_plain, clean_tags, text_fault
from cost_ops.domain.usage import COUNTER_NAMES, Buckets, FlatCounts, Quantity, UsageSubmission, disjoint

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
MAX_METADATA_BYTES = 4096
_texts_of = attrgetter(*(name for name in TEXT_FIELDS if name not in ("organization_id", "counting")))
_counters_of = attrgetter(*COUNTER_NAMES)
_NO_COUNTERS = (None,) * len(COUNTER_NAMES)
_PLAIN_TIERS = frozenset({"default", "auto", "standard"})


@dataclass(frozen=True, slots=True)
class Intake:
    """What a way in knows beside the record: who sends, when, and how identity is made.

    `organization_id` is used where a record names none (files); an API record must name its own. `shapes` reads
    providers' own payloads; without it none is taken.
    """

    names: ProviderNames
    now_us: int
    future_tolerance_us: int = 300_000_000
    organization_id: str | None = None
    api_key_id: str | None = None
    header_key: str | None = None
    fallback_source: str = "file"
    fallback_key: str | None = None
    shapes: ShapeBook | None = None


def build(sent: Any, intake: Intake, problems: list[Problem] | None = None) -> UsageSubmission:
    """The submission that `sent` (a `Submitted` or its typed twin) describes.

    Raises InvalidInput with every problem, those handed in included.
    """
    found = problems if problems is not None else []
    organization_id = sent.organization_id or intake.organization_id
    provider = intake.names.canonical(sent.provider) if sent.provider else ""
    extracted = None
    if sent.usage is not None or sent.response is not None:
        extracted = read_payload(sent, provider, intake.shapes, found)
    model_id = (extracted.model_id if extracted is not None else None) or sent.model_id
    _check_texts(sent, organization_id, model_id, found)
    timestamp_us = _timestamp_us(sent.timestamp, intake, found)
    if sent.counting not in (None, "inclusive", "exclusive"):
        found.append(Problem("counting", "invalid_value", 'counting must be "inclusive" or "exclusive"'))
    counted = _counted(sent, extracted, found)
    tags = clean_tags(sent.tags, found) if sent.tags else None
    metadata = _metadata(sent.metadata, found) if sent.metadata is not None else None
    rates = _default_rates(sent.default_pricing, found) if sent.default_pricing is not None else None
    key = sent.idempotency_key or intake.header_key or sent.request_id
    if found:
        raise InvalidInput(found)
    tier, processing, region, reported, currency = _circumstances(sent, extracted)
    submission = UsageSubmission(
        organization_id=organization_id or "",
        provider=provider,
        model_id=model_id.strip(),
        quantities=counted.quantities,
        timestamp_us=timestamp_us,
        received_us=intake.now_us,
        payload_hash=0,
        source="caller" if key else intake.fallback_source,
        key=key or intake.fallback_key,
        estimated=counted.estimated or bool(sent.estimated),
        project_id=sent.project_id or None,
        user_id=sent.user_id or None,
        team_id=sent.team_id or None,
        session_id=sent.session_id or None,
        api_key_id=intake.api_key_id,
        service_tier=tier,
        processing=processing,
        region=region,
        latency_ms=sent.latency_ms,
        reported_cost_e10=None if reported is None else e10_from_decimal(reported),
        reported_currency=None if reported is None else currency,
        default_price=rates,
        tags=tags,
        metadata=metadata,
    )
    if extracted is not None or sent.response_id is not None or sent.requested_model_id is not None:
        _with_evidence(submission, sent, extracted)
    if submission.key is not None:
        submission.payload_hash = fingerprint(submission, timestamp_given=sent.timestamp is not None)
    return submission


def _counted(sent: Any, extracted: Extracted | None, problems: list[Problem]) -> Buckets:
    if sent.usage is None and sent.response is None:
        return disjoint(_counts(sent, problems), _counters(sent), sent.counting or "inclusive", problems)
    if extracted is None:
        return Buckets({})
    return Buckets(with_counters(extracted.quantities, _counters(sent), problems), extracted.estimated)


def _circumstances(
    sent: Any, extracted: Extracted | None
) -> tuple[str | None, str | None, str | None, Decimal | None, str]:
    """(tier, processing, region, reported cost, its currency), the payload's own before the sender's."""
    tier, processing, region, reported = sent.service_tier, sent.processing, sent.region, sent.reported_cost
    currency = sent.currency
    if extracted is not None:
        tier, region = extracted.service_tier or tier, extracted.region or region
        processing = processing or extracted.processing
        if extracted.reported_cost is not None:
            reported, currency = extracted.reported_cost, extracted.reported_currency
    tier, processing = tier and tier.lower(), processing and processing.lower()
    if tier == "batch":
        tier, processing = None, "batch"
    return (
        None if tier in _PLAIN_TIERS else tier,
        processing or None,
        region.lower() if region else None,
        reported,
        currency or "USD",
    )


def _with_evidence(submission: UsageSubmission, sent: Any, extracted: Extracted | None) -> None:
    submission.evidence = evidence_of(sent, extracted, submission.model_id)
    response_id = sent.response_id
    if extracted is not None:
        submission.steps = extracted.steps
        response_id = response_id or extracted.response_id
    submission.response_id = usable_response_id(response_id)


def _check_texts(sent: Any, organization_id: str | None, model_id: str | None, problems: list[Problem]) -> None:
    plain = organization_id is not None and ORGANIZATION_ID.match(organization_id)
    if not (plain and sent.provider and model_id) or sent.provider.isspace() or model_id.isspace():
        _check_names(sent, organization_id, model_id, problems)
    if not all_plain(_texts_of(sent)):
        for name in TEXT_FIELDS[1:]:
            value = getattr(sent, name)
            if value and (fault := text_fault(value)):
                problems.append(Problem(name, fault[0], f"{name} {fault[1]}"))
    if sent.currency is not None and not is_currency(sent.currency):
        problems.append(
            Problem(
                "currency",
                "unknown_currency",
                f"currency must be an ISO 4217 code such as USD, got {sent.currency[:20]!r}",
            )
        )


def _check_names(sent: Any, organization_id: str | None, model_id: str | None, problems: list[Problem]) -> None:
    named = {"organization_id": organization_id, "provider": sent.provider, "model_id": model_id}
    for name, value in named.items():
        if value is None or not value.strip():
            problems.append(Problem(name, "missing_required_field", f"{name} is required"))
    if organization_id and organization_id.strip() and not ORGANIZATION_ID.match(organization_id):
        message = "organization_id must be 1 to 64 letters, digits, dots, dashes, colons or underscores"
        problems.append(Problem("organization_id", "invalid_value", message))


def _timestamp_us(timestamp: datetime | None, intake: Intake, problems: list[Problem]) -> int:
    if timestamp is None:
        return intake.now_us
    try:
        if timestamp.tzinfo is None:
            raise ValueError("no offset")
        us = to_us(timestamp)
    except (OverflowError, ValueError):
        problems.append(Problem("timestamp", "invalid_date", "timestamp must be a possible time with an offset"))
        return intake.now_us
    if us > intake.now_us + intake.future_tolerance_us:
        message = (
            f"timestamp {format_instant(timestamp)} lies in the future "
            f"(now is {format_instant(from_us(intake.now_us))}); check the sender's clock"
        )
        problems.append(Problem("timestamp", "in_the_future", message))
    elif timestamp < EARLIEST:
        problems.append(
            Problem(
                "timestamp",
                "too_early",
                f"timestamp {format_instant(timestamp)} lies before {format_instant(EARLIEST)}",
            )
        )
    return us


def _counts(sent: Any, problems: list[Problem]) -> FlatCounts:
    input_tokens, output_tokens = sent.input_tokens, sent.output_tokens
    if sent.prompt_tokens is not None:
        input_tokens = _same(("prompt_tokens", sent.prompt_tokens), ("input_tokens", input_tokens), problems)
    if sent.completion_tokens is not None:
        output_tokens = _same(("completion_tokens", sent.completion_tokens), ("output_tokens", output_tokens), problems)
    return FlatCounts(
        input_tokens,
        output_tokens,
        sent.total_tokens,
        sent.cached_tokens,
        sent.cache_write_tokens,
        sent.cache_write_1h_tokens,
        sent.reasoning_tokens,
        sent.input_audio_tokens,
        sent.input_image_tokens,
        sent.input_video_tokens,
        sent.output_audio_tokens,
        sent.output_image_tokens,
        sent.output_video_tokens,
    )


def _same(alias: tuple[str, int], name: tuple[str, int | None], problems: list[Problem]) -> int:
    """The value that a field and its older name agree on."""
    if name[1] is not None and name[1] != alias[1]:
        message = f"{alias[0]} = {alias[1]} and {name[0]} = {name[1]} say the same thing differently"
        problems.append(Problem(alias[0], "contradiction", message))
    return alias[1]


def _counters(sent: Any) -> dict[str, Quantity] | None:
    values = _counters_of(sent)
    if values == _NO_COUNTERS:
        return None
    return {name: value for name, value in zip(COUNTER_NAMES, values, strict=True) if value is not None}


def _metadata(value: Any, problems: list[Problem]) -> Mapping[str, Any] | None:
    if not isinstance(value, Mapping):
        problems.append(Problem("metadata", "invalid_type", "metadata must be an object"))
        return None
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=str)
        size = len(text.encode())
    except (ValueError, RecursionError):
        problems.append(Problem("metadata", "invalid_value", "metadata holds something that JSON cannot"))
        return None
    if size > MAX_METADATA_BYTES:
        problems.append(
            Problem("metadata", "too_large", f"metadata is {size} bytes of JSON; the limit is {MAX_METADATA_BYTES}")
        )
    if "\\u0000" in text:
        problems.append(Problem("metadata", "invalid_value", "metadata must not hold NUL characters"))
    return dict(value) or None


def _default_rates(value: Any, problems: list[Problem]) -> Any:
    if not isinstance(value, Mapping):
        problems.append(Problem("default_pricing", "invalid_type", "default_pricing must be an object"))
        return None
    try:
        return rates_from_fields(value)
    except CostOpsError as error:
        found: Sequence[Problem] = error.problems if isinstance(error, InvalidInput) else ()
        problems.extend(p.at("default_pricing") for p in found)
        return None


def fingerprint(submission: UsageSubmission, *, timestamp_given: bool) -> int:
    """What tells a replay from a conflict: everything the caller said, whichever way it came in, in a fixed order."""
    stated_us = submission.timestamp_us if timestamp_given else None
    tags = sorted(submission.tags.items()) if submission.tags else None
    metadata = json.dumps(_plain(submission.metadata), sort_keys=True) if submission.metadata else None
    # Texts are never empty and hold no control characters, so no two records can come out alike.
    canonical = (
        f"{submission.provider}\x1f{submission.model_id}\x1f{tuple(submission.quantities.items())}\x1f{stated_us}"
        f"\x1f{submission.project_id or ''}\x1f{submission.user_id or ''}\x1f{submission.team_id or ''}"
        f"\x1f{submission.session_id or ''}\x1f{submission.service_tier or ''}\x1f{submission.processing or ''}"
        f"\x1f{submission.region or ''}\x1f{submission.latency_ms}\x1f{submission.reported_cost_e10}"
        f"\x1f{submission.reported_currency or ''}\x1f{tags}\x1f{metadata}"
    )
    return payload_hash(canonical.encode("utf-8", "surrogatepass"))


def _plain(value: Any) -> Any:
    """Free-form values with their fractions as text: files have them exact, the API's typed decoder as floats."""
    if isinstance(value, float | Decimal):
        return str(Decimal(str(value)).normalize())
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value
