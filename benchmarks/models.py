"""What is called in every benchmark: models that all the price tables know, and how often prompts are cached."""

from __future__ import annotations

MODELS = {
    "openai": (
        *("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano"),
        *("gpt-5.4", "o3", "o4-mini"),
    ),
    "anthropic": ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-8", "claude-sonnet-5-5"),
    "google": (
        *("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite"),
        *("gemini-3.1-pro-preview", "gemini-3.5-flash"),
    ),
}
CACHED_SHARE = 0.44
"""Calls whose prompt is partly in the cache."""
