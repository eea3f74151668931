"""A response without its content: what was said stays where it is, and what counts stays in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_TEXT = 256
MAX_NUMBERS = 16
MAX_DEPTH = 24


def slim(value: Any, depth: int = 0) -> Any:
    """The same structure without long texts, vectors and what is nested beyond reason.

    Items keep their place and type, since some of them are counted (a web search is an item of the output).
    """
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else ""
    if depth >= MAX_DEPTH and isinstance(value, Mapping | list):
        return None
    if isinstance(value, Mapping):
        return {name: slim(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        if len(value) > MAX_NUMBERS and not any(isinstance(inner, Mapping | list) for inner in value):
            return []
        return [slim(inner, depth + 1) for inner in value]
    return value
