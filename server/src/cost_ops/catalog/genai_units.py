"""genai-prices' price keys → our meters, and the keys that no meter of ours can hold, each with the reason.

The two tables together are its whole registry (`genai_prices.data_units`); a test fails when a release adds a unit.
"""

from __future__ import annotations

from itertools import product

METER_OF_PRICE_KEY: dict[str, tuple[str, int]] = {
    "input_mtok": ("input", 1_000_000),
    "output_mtok": ("output", 1_000_000),
    "cache_read_mtok": ("input_cache_read", 1_000_000),
    "cache_audio_read_mtok": ("input_audio_cache_read", 1_000_000),
    "cache_write_mtok": ("input_cache_write_5m", 1_000_000),
    "cache_write_1h_mtok": ("input_cache_write_1h", 1_000_000),
    "input_audio_mtok": ("input_audio", 1_000_000),
    "input_image_mtok": ("input_image", 1_000_000),
    "input_video_mtok": ("input_video", 1_000_000),
    "input_tool_mtok": ("input_tool", 1_000_000),
    "output_audio_mtok": ("output_audio", 1_000_000),
    "output_image_mtok": ("output_image", 1_000_000),
    "output_video_mtok": ("output_video", 1_000_000),
    "output_reasoning_mtok": ("output_reasoning", 1_000_000),
    "input_mchars": ("characters", 1_000_000),
    "audio_hours": ("seconds", 3_600),
    "input_document_kpages": ("pages", 1_000),
    "rerank_searches_kcount": ("search_units", 1_000),
    "web_searches_kcount": ("web_searches", 1_000),
    "storage_searches_kcount": ("file_searches", 1_000),
    "requests_kcount": ("requests", 1_000),
}
"""Price key → (meter, unit size)."""

SAME_METER_AS = {"input_audio_hours": "audio_hours", "cache_write_5m_mtok": "cache_write_mtok"}
"""A narrower unit of the same meter: held where its price is that of the wider one, left out where it differs."""

_MODALITIES = ("text", "audio", "image", "video")
_CACHED = "but for cached audio, our cache meters are not split by modality: they cost the model's cache rate"
_MIXED = "tool, reasoning and citation tokens are not split by modality: they cost their rate without it"

UNHELD_PRICE_KEYS: dict[str, str] = {
    **{
        f"cache_{modality}_{kind}_mtok": _CACHED
        for modality, kind in product(_MODALITIES, ("read", "write", "write_5m", "write_1h"))
        if (modality, kind) != ("audio", "read")
    },
    **{f"input_{modality}_tool_mtok": _MIXED for modality in _MODALITIES},
    **{f"output_{modality}_{kind}_mtok": _MIXED for modality, kind in product(_MODALITIES, ("reasoning", "citation"))},
    "input_text_mtok": "text is what no other meter counts: the input meter",
    "output_text_mtok": "text is what no other meter counts: the output meter",
    "output_citation_mtok": "there is no meter for citation tokens: they are part of the output",
    "output_audio_hours": "the seconds meter has no direction",
    "input_annotated_document_kpages": "the pages meter does not tell annotated pages apart",
    "input_gpixels": "there is no meter for pixels",
    "input_text_messages_kcount": "there is no meter for messages",
    "social_searches_kcount": "there is no meter for searches in social networks",
    "code_executions_kcount": "our meter counts sessions, not executions",
}
"""Price key → why it is left out. A model keeps its other rates; the catalogue's `left_out` names what it lost."""
