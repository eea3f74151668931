"""LiteLLM's price keys → our meters and conditions; and the keys that nothing of ours can hold, with the reason.

A key is a name, then in any order `_above_1hr`, `_above_200k_tokens` and a mode, as in
`input_cost_per_token_above_272k_tokens_priority`. Prices are per single unit, in US dollars.
The facts are those of `model_prices_and_context_window.json` of LiteLLM 1.106 (MIT), which had 164 distinct keys.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cost_ops.domain.meters import METERS, MILLION

METER_OF_NAME: dict[str, str] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "output_reasoning",
    "cache_read_input_token_cost": "input_cache_read",
    "input_cost_per_token_cache_hit": "input_cache_read",
    "cache_read_input_audio_token_cost": "input_audio_cache_read",
    "cache_creation_input_token_cost": "input_cache_write_5m",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
    "input_cost_per_video_token": "input_video",
    "output_cost_per_video_token": "output_video",
    "input_cost_per_character": "characters",
    "input_cost_per_second": "seconds",
    "output_cost_per_second": "seconds",
    "output_cost_per_video_per_second": "seconds",
    "output_cost_per_image": "images",
    "input_cost_per_request": "requests",
    "ocr_cost_per_page": "pages",
    "code_interpreter_cost_per_session": "code_sessions",
}
"""Name of a price → meter. Where two names of one entry mean the same meter, the later one here gives way."""

METER_BY_MODE: dict[tuple[str, str], str] = {
    ("input_cost_per_query", "rerank"): "search_units",
    ("input_cost_per_query", "search"): "requests",
    ("input_cost_per_image", "image_generation"): "images",
    ("input_cost_per_image", "image_edit"): "images",
}
"""(Name, mode of the entry) → meter: names that mean another thing in another kind of model."""

TIERS: dict[str, tuple[str, str]] = {
    "priority": ("service_tier", "priority"),
    "flex": ("service_tier", "flex"),
    "ultrafast": ("service_tier", "ultrafast"),
    "balanced": ("service_tier", "balanced"),
    "batches": ("processing", "batch"),
}
"""Mode → condition, in order of precedence: a batch in a tier pays the tier's price, as genai-prices has it."""

UNHELD: dict[str, str] = {
    "cache_creation_input_audio_token_cost": "our cache meters are not split by modality",
    "cache_read_input_image_token_cost": "our cache meters are not split by modality",
    "explicit_cache_read_input_token_cost": "our cache meters do not tell explicit caching apart",
    "annotation_cost_per_page": "the pages meter does not tell annotated pages apart",
    "citation_cost_per_token": "there is no meter for citation tokens: they are part of the output",
    "google_maps_grounding_cost_per_query": "there is no meter for map grounding",
    "guardrail_cost_per_unit": "there is no meter for guardrail units",
    "ocr_cost_per_credit": "there is no meter for credits",
    "input_cost_per_text_message": "there is no meter for messages",
    "input_dbu_cost_per_token": "a price in Databricks units is not an amount of money",
    "output_dbu_cost_per_token": "a price in Databricks units is not an amount of money",
}
"""Name → why it is left out. Any other name that is not known is left out too, and says so."""

_UNKNOWN = "no meter of ours counts this"
_PARTS = re.compile(
    r"_above_(?P<hours>\d+)hr|_above_(?P<tokens>\d+)(?P<unit>k?)_tokens|_(?P<mode>priority|flex|ultrafast|balanced|batches)"
)
_CACHE_WRITES = {"1": "input_cache_write_1h", "12": "input_cache_write_12h"}


class PriceKey(NamedTuple):
    """What a key states the price of: `above` tokens of context (0: always), in `mode` (a key of TIERS, or None)."""

    meter: str
    per: int
    above: int = 0
    mode: str | None = None


def is_price(key: str) -> bool:
    """Whether a key of an entry states a price, by its name."""
    return "cost" in key and not key.startswith(("search_context", "supports"))


def read_key(key: str, mode: str) -> PriceKey | str:
    """What a key means in an entry of this mode (`chat`, `rerank`, …); a text where it is left out: why."""
    above, tier, hours = 0, None, ""
    for part in _PARTS.finditer(key):
        hours = part["hours"] or hours
        tier = part["mode"] or tier
        if part["tokens"]:
            above = int(part["tokens"]) * (1000 if part["unit"] else 1)
    name = _PARTS.sub("", key)
    meter = METER_BY_MODE.get((name, mode)) or METER_OF_NAME.get(name)
    if meter == "input_cache_write_5m" and hours:
        meter = _CACHE_WRITES.get(hours)
    if meter is None or (hours and not meter.startswith("input_cache_write")):
        return UNHELD.get(name, _UNKNOWN)
    return PriceKey(meter, METERS[meter].per if METERS[meter].unit != "token" else MILLION, above, tier)
