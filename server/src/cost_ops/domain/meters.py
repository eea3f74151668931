"""Meters: the disjoint, additive buckets that usage is counted in.

One table says what each meter counts, on which side of a call it stands and which meter's rate prices it when it has
none of its own. Adding a meter is adding a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MILLION = 1_000_000


class Side(StrEnum):
    """Where a meter stands: in what was sent, in what came back, or beside the tokens."""

    INPUT = "input"
    OUTPUT = "output"
    COUNTER = "counter"


@dataclass(frozen=True, slots=True)
class Meter:
    """One bucket. `per` is the unit size that prices are quoted in when nothing else is said."""

    name: str
    side: Side
    unit: str
    per: int
    fallback: str | None = None
    description: str = ""


def _tokens(name: str, side: Side, fallback: str | None, description: str) -> Meter:
    return Meter(name, side, "token", MILLION, fallback, description)


def _counter(name: str, unit: str, per: int, description: str) -> Meter:
    return Meter(name, Side.COUNTER, unit, per, None, description)


_ALL = (
    _tokens("input", Side.INPUT, None, "prompt tokens not counted by another meter"),
    _tokens("input_cache_read", Side.INPUT, "input", "prompt tokens read from a cache"),
    _tokens("input_audio_cache_read", Side.INPUT, "input_cache_read", "… of them audio, where the payload tells"),
    _tokens("input_cache_write_5m", Side.INPUT, "input", "prompt tokens written to a cache for 5 minutes"),
    _tokens("input_cache_write_30m", Side.INPUT, "input_cache_write_5m", "… for 30 minutes"),
    _tokens("input_cache_write_1h", Side.INPUT, "input_cache_write_5m", "… for an hour"),
    _tokens("input_cache_write_12h", Side.INPUT, "input_cache_write_1h", "… for 12 hours"),
    _tokens("input_cache_write_unknown", Side.INPUT, "input_cache_write_5m", "… for an unknown time"),
    _tokens("input_tool", Side.INPUT, "input", "prompt tokens that tools added"),
    _tokens("input_audio", Side.INPUT, "input", "audio tokens in the prompt"),
    _tokens("input_image", Side.INPUT, "input", "image tokens in the prompt"),
    _tokens("input_video", Side.INPUT, "input", "video tokens in the prompt"),
    _tokens("output", Side.OUTPUT, None, "completion tokens not counted by another meter"),
    _tokens("output_reasoning", Side.OUTPUT, "output", "thinking tokens"),
    _tokens("output_audio", Side.OUTPUT, "output", "audio tokens in the answer"),
    _tokens("output_image", Side.OUTPUT, "output", "image tokens in the answer"),
    _tokens("output_video", Side.OUTPUT, "output", "video tokens in the answer"),
    _counter("requests", "request", 1, "calls; free unless a price says otherwise"),
    _counter("web_searches", "search", 1000, "web searches made by the provider"),
    _counter("web_fetches", "fetch", 1000, "pages fetched by the provider"),
    _counter("file_searches", "search", 1000, "file searches made by the provider"),
    _counter("code_sessions", "session", 1, "code interpreter sessions"),
    _counter("search_units", "unit", 1000, "rerank units"),
    _counter("pages", "page", 1000, "document pages processed"),
    _counter("seconds", "second", 1, "seconds of audio or video"),
    _counter("characters", "character", MILLION, "characters, where tokens are not counted"),
    _counter("images", "image", 1, "images made"),
)

METERS: dict[str, Meter] = {meter.name: meter for meter in _ALL}
TOKEN_METERS = frozenset(m.name for m in _ALL if m.unit == "token")
INPUT_METERS = frozenset(m.name for m in _ALL if m.side is Side.INPUT)
OUTPUT_METERS = frozenset(m.name for m in _ALL if m.side is Side.OUTPUT)
CACHE_READ_METERS = ("input_cache_read", "input_audio_cache_read")
CACHE_WRITE_METERS = frozenset(m.name for m in _ALL if m.name.startswith("input_cache_write"))
FREE_WITHOUT_RATE = frozenset({"requests"})
"""Meters that cost nothing when the price has no rate for them."""

TOTAL_TOKENS = "total_tokens"
"""A meter for rates only: all tokens together, for prices with an included quantity of tokens."""

RATE_METERS = frozenset(METERS) | {TOTAL_TOKENS}


def fallback_chain(name: str) -> tuple[str, ...]:
    """The meters whose rates may price `name`, nearest first, itself included.

    >>> fallback_chain("input_cache_write_1h")
    ('input_cache_write_1h', 'input_cache_write_5m', 'input')
    """
    chain = [name]
    while (parent := METERS[chain[-1]].fallback) is not None:
        chain.append(parent)
    return tuple(chain)


FALLBACK_CHAINS: dict[str, tuple[str, ...]] = {name: fallback_chain(name) for name in METERS}
