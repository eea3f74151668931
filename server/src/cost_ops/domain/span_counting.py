"""Token counts of a span, brought to one convention: input includes cached and written tokens, output reasoning.

An emitter that counts otherwise is known by a row in `span_emitters`, or gives itself away: by a total that fits only
the other reading, or by parts that are more than their whole. What was read against the conventions is said in a note;
what had to be assumed makes the record an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

_INPUT_KINDS: Final = ("input_audio_tokens", "input_image_tokens", "input_video_tokens")
_OUTPUT_KINDS: Final = ("output_audio_tokens", "output_image_tokens", "output_video_tokens")
INPUT_PARTS: Final = frozenset({"cached_tokens", "cache_write_tokens", *_INPUT_KINDS})
OUTPUT_PARTS: Final = frozenset({"reasoning_tokens", *_OUTPUT_KINDS})
_PARTS: Final = ("cached_tokens", "cache_write_tokens", "reasoning_tokens", *_INPUT_KINDS, *_OUTPUT_KINDS)


class Counted(NamedTuple):
    """Counts as a usage record has them, counted inclusively; whether something was assumed; what was noticed."""

    fields: dict[str, int]
    estimated: bool
    notes: tuple[str, ...]


class _Side(NamedTuple):
    """One side of a call: all its tokens, with what was assumed or noticed on the way."""

    whole: int
    assumed: str | None = None
    noticed: str | None = None


def counted(counts: Mapping[str, int], *, exclusive: bool, embedding: bool = False) -> Counted:
    """The counts of one span. `exclusive`: its emitter is known to leave cached tokens out of `input_tokens`.

    With nothing but a total, an embedding's is all input; otherwise the total stands alone and the record is estimated.
    """
    if "input_tokens" not in counts and "output_tokens" not in counts and "total_tokens" in counts:
        if embedding:
            return Counted({"input_tokens": counts["total_tokens"]}, estimated=False, notes=())
        return Counted(dict(counts), estimated=True, notes=())
    if counts.keys() <= {"input_tokens", "output_tokens"}:
        return Counted(dict(counts), estimated=False, notes=())
    received = _received(counts)
    sent = _sent(counts, received.whole, exclusive=exclusive)
    fields = {"input_tokens": sent.whole, "output_tokens": received.whole}
    fields.update((name, counts[name]) for name in _PARTS if counts.get(name))
    assumed = [side.assumed for side in (sent, received) if side.assumed]
    assumed += _without_overlap(fields)
    if (strange := _strange_total(counts, sent.whole, received.whole, exclusive=exclusive)) is not None:
        assumed.append(strange)
    noticed = [side.noticed for side in (sent, received) if side.noticed]
    return Counted(fields, bool(assumed), (*assumed, *noticed))


def _received(counts: Mapping[str, int]) -> _Side:
    """Output with reasoning: beside it where the total says so, or where it would not fit inside."""
    output, reasoning = counts.get("output_tokens", 0), counts.get("reasoning_tokens", 0)
    if not reasoning:
        return _Side(output)
    total, without = counts.get("total_tokens"), counts.get("input_tokens", 0) + output
    cached = _cached(counts)
    beside_fits = total in (without + reasoning, without + cached + reasoning)
    if beside_fits and total not in (without, without + cached):
        return _Side(output + reasoning, noticed="the total shows that output_tokens leaves reasoning out")
    if reasoning > output:
        note = f"reasoning {reasoning} is more than output_tokens {output}, so output_tokens was read without it"
        return _Side(output + reasoning, assumed=note)
    return _Side(output)


def _sent(counts: Mapping[str, int], received: int, *, exclusive: bool) -> _Side:
    """Input with cached and written tokens."""
    stated, cached = counts.get("input_tokens", 0), _cached(counts)
    if not cached or exclusive:
        return _Side(stated + cached)
    total = counts.get("total_tokens")
    if total == stated + cached + received:
        return _Side(stated + cached, noticed="the total shows that input_tokens leaves cached tokens out")
    if cached > stated:
        note = f"cached and written tokens {cached} are more than input_tokens {stated}, so it was read without them"
        return _Side(stated + cached, assumed=note)
    return _Side(stated)


def _cached(counts: Mapping[str, int]) -> int:
    return counts.get("cached_tokens", 0) + counts.get("cache_write_tokens", 0)


def _without_overlap(fields: dict[str, int]) -> list[str]:
    """Take audio, images and video out where they overlap with cached tokens or reasoning: each token counts once."""
    notes = []
    for side, kinds in (("input", _INPUT_KINDS), ("output", _OUTPUT_KINDS)):
        inside = _cached(fields) if side == "input" else fields.get("reasoning_tokens", 0)
        of_kinds = sum(fields.get(name, 0) for name in kinds)
        if of_kinds and inside + of_kinds > fields[f"{side}_tokens"]:
            for name in kinds:
                fields.pop(name, None)
            notes.append(f"parts of {side}_tokens overlap: {of_kinds} of audio, image or video were priced as plain")
    return notes


def _strange_total(counts: Mapping[str, int], sent: int, received: int, *, exclusive: bool) -> str | None:
    """What to say about a total that no reading explains."""
    total = counts.get("total_tokens")
    if total is None or total == sent + received:
        return None
    if exclusive and total == counts.get("input_tokens", 0) + received:
        return None
    return f"the total {total} is not input {sent} and output {received}"
