"""Calls that two instrumentations saw: a framework's and its client library's. They count once.

The inner span is kept, because it stands nearer to the provider's own answer, with what only the outer one said. Inner
is what lies below another span in the trace; some frameworks (OpenInference's LangChain) do not hand their span down,
then it is what lies within another's time, beside it in the trace, from another instrumentation. Only what came in one
batch is compared; across batches the provider's response id, where both spans have it, does the same when the usage is
recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from cost_ops.domain.span_counting import INPUT_PARTS, OUTPUT_PARTS
from cost_ops.domain.spans import Span

Call = tuple[Span, Mapping[str, Any]]
Parents = Mapping[tuple[str, str], str]

ANCESTORS = 32
"""Spans above a call, or beside it, that are looked at for another record of it."""

_ITS_OWN = frozenset({"idempotency_key", "timestamp", "latency_ms", "estimated", "model_id", "requested_model_id"})
"""What a kept call does not take over from the one that is dropped."""


def distinct(calls: Sequence[Call], parents: Parents) -> list[Call]:
    """The calls, each once.

    `parents` maps (trace, span) to the span above it, for every span of the batch.
    """
    inner_of: dict[int, int] = {}
    for outer, inner in chain(_below(calls, parents), _within(calls)):
        if outer not in inner_of and _innermost(inner, inner_of) != outer:
            inner_of[outer] = inner
    if not inner_of:
        return list(calls)
    kept = {place: dict(usage) for place, (_, usage) in enumerate(calls) if place not in inner_of}
    for outer in list(inner_of):
        _complete(kept[_innermost(outer, inner_of)], calls[outer][1])
    return [(calls[place][0], usage) for place, usage in kept.items()]


def _innermost(place: int, inner_of: dict[int, int]) -> int:
    """The call that stands for another; the way there is shortened for those who ask next."""
    passed = []
    while place in inner_of:
        passed.append(place)
        place = inner_of[place]
    for other in passed:
        inner_of[other] = place
    return place


def _complete(usage: dict[str, Any], outer: Mapping[str, Any]) -> None:
    """Add what only the outer span said; how a side's tokens are parted comes from one of the two, never from both."""
    left_out = _ITS_OWN.union(*(parts for parts in (INPUT_PARTS, OUTPUT_PARTS) if parts & usage.keys()))
    for name, value in outer.items():
        if name not in left_out:
            usage.setdefault(name, value)


def _below(calls: Sequence[Call], parents: Parents) -> Iterator[tuple[int, int]]:
    """(outer, inner) where one stands above the other in the trace."""
    places = {(span.trace_id, span.span_id): place for place, (span, _) in enumerate(calls)}
    often = Counter(mark for _, usage in calls for mark in _marks(usage))
    for place, (span, usage) in enumerate(calls):
        above = span.parent_id if any(often[mark] > 1 for mark in _marks(usage)) else ""
        for _ in range(ANCESTORS):
            if not above or above == span.span_id:
                break
            outer = places.get((span.trace_id, above))
            if outer is not None and _same_call(calls[outer][1], usage):
                yield outer, place
                break
            above = parents.get((span.trace_id, above), "")


def _within(calls: Sequence[Call]) -> Iterator[tuple[int, int]]:
    """(outer, inner) where one took place within the other's time and both have the same span, or none, above them."""
    beside: dict[Any, list[int]] = defaultdict(list)
    for place, (span, usage) in enumerate(calls):
        siblings = (span.trace_id, span.parent_id) if span.parent_id else None
        beside[siblings, usage.get("input_tokens"), usage.get("output_tokens")].append(place)
    for group in beside.values():
        if len({calls[place][0].scope_name for place in group}) > 1:
            group.sort(key=lambda place: (calls[place][0].start_ns, -calls[place][0].end_ns))
            yield from _pairs(calls, group)


def _pairs(calls: Sequence[Call], group: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(outer, inner) of calls with the same counts, in order of their start; each is inner once.

    One instrumentation sees a call once: calls that run at the same time do not pair up around one of another.
    """
    saw: dict[int, frozenset[str]] = {}
    for number, outer in enumerate(group):
        around = calls[outer][0]
        seen_by = saw.get(outer, frozenset()) | {around.scope_name}
        for inner in group[number + 1 : number + 1 + ANCESTORS]:
            span = calls[inner][0]
            if span.start_ns > around.end_ns:
                break
            apart = inner not in saw and span.scope_name not in seen_by
            if apart and span.end_ns <= around.end_ns and _same_call(calls[outer][1], calls[inner][1]):
                saw[inner] = seen_by
                yield outer, inner
                break


def _marks(usage: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two records of one call have in common, one or the other: its response, its counts."""
    counts = usage.get("input_tokens"), usage.get("output_tokens")
    answer = usage.get("response_id")
    return (counts,) if answer is None else (counts, answer)


def _same_call(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    answers = outer.get("response_id"), inner.get("response_id")
    if None not in answers:
        return answers[0] == answers[1]
    if any(outer.get(name) != inner.get(name) for name in ("input_tokens", "output_tokens")):
        return False
    return bool(_models(outer) & _models(inner))


def _models(usage: Mapping[str, Any]) -> set[Any]:
    return {usage.get("model_id"), usage.get("requested_model_id")} - {None}
