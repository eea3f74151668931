"""Calls that two instrumentations saw, one inside the other: a framework's and its client library's. They count once.

The inner span is kept: it stands nearer to the provider's own answer. Only what came in one batch is compared; across
batches the provider's response id, where both spans have it, does the same when the usage is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cost_ops.domain.spans import Span

ANCESTORS = 64
"""Spans above a call that are looked at for another record of it."""


def repeated(calls: Sequence[tuple[Span, Mapping[str, Any]]], parents: Mapping[tuple[str, str], str]) -> set[int]:
    """Places of calls that are another call of the same batch seen from outside: same model and counts, or same id.

    `parents` maps (trace, span) to the span above it, for every span of the batch.
    """
    places = {(span.trace_id, span.span_id): place for place, (span, _) in enumerate(calls)}
    outer: set[int] = set()
    if len(places) < 2:
        return outer
    for span, usage in calls:
        above = span.parent_id
        for _ in range(ANCESTORS):
            if not above:
                break
            place = places.get((span.trace_id, above))
            if place is not None and _same_call(calls[place][1], usage) and above != span.span_id:
                outer.add(place)
            above = parents.get((span.trace_id, above), "")
    return outer


def _same_call(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    if (answer := outer.get("response_id")) is not None and answer == inner.get("response_id"):
        return True
    if any(outer.get(name) != inner.get(name) for name in ("input_tokens", "output_tokens")):
        return False
    return bool(_models(outer) & _models(inner))


def _models(usage: Mapping[str, Any]) -> set[Any]:
    return {usage.get("model_id"), usage.get("requested_model_id")} - {None}
