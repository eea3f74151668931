"""Text from outside: what no database and no terminal should be handed, and tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from cost_ops.domain.errors import Problem

MAX_TEXT = 256
MAX_TAGS = 50
MAX_TAG_KEY = 128

_FORBIDDEN = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def text_fault(text: str, limit: int = MAX_TEXT) -> tuple[str, str] | None:
    """(reason, what is wrong) with a short text, or None: too long, control characters, half a surrogate pair."""
    if len(text) > limit:
        return "too_long", f"is {len(text)} characters long; the limit is {limit}"
    if text.isascii() and text.isprintable():
        return None
    if _FORBIDDEN.search(text):
        return "invalid_characters", "holds control characters or broken unicode"
    return None


def all_plain(texts: Iterable[str | None], limit: int = MAX_TEXT) -> bool:
    """Whether all texts together are so short and plain that none can have a fault: the quick way for most input."""
    joined = "".join(filter(None, texts))
    return len(joined) <= limit and joined.isascii() and joined.isprintable()


def clean_tags(value: Any, problems: list[Problem]) -> dict[str, str] | None:
    """Tags as text to text, from an object or from a list of `key:value`, `key=value` or plain words."""
    if isinstance(value, dict) and _all_texts(value) and (plain := _plain_tags(tuple(value.items()))) is not None:
        return plain
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, list) and all(isinstance(v, str) for v in value):
        pairs = [split_tag(word) for word in value]
    else:
        problems.append(Problem("tags", "invalid_type", "tags must be an object, or a list of texts such as env:prod"))
        return None
    if len(pairs) > MAX_TAGS:
        problems.append(Problem("tags", "too_many", f"{len(pairs)} tags; the limit is {MAX_TAGS}"))
        return None
    tags: dict[str, str] = {}
    for key, raw in pairs:
        text = _tag_text(raw)
        fault = text_fault(key, MAX_TAG_KEY) if isinstance(key, str) and key else ("invalid_value", "must not be empty")
        if fault:
            problems.append(Problem("tags", fault[0], f"tag key {str(key)[:40]!r} {fault[1]}"))
        elif text is None:
            problems.append(Problem(f"tags.{key}", "invalid_type", f"tags.{key} must be a text, a number or a boolean"))
        elif fault := text_fault(text):
            problems.append(Problem(f"tags.{key}", fault[0], f"tags.{key} {fault[1]}"))
        else:
            tags[key] = text
    return tags or None


@lru_cache(maxsize=16_384)
def _plain_tags(items: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    """Tags without a fault, or None for a closer look. The same few sets come again and again; they are shared."""
    tags = dict(items)
    sound = "" not in tags and len(tags) <= MAX_TAGS and all_plain((*tags, *tags.values()), MAX_TAG_KEY)
    return tags if sound and tags else None


def _all_texts(tags: Mapping[Any, Any]) -> bool:
    for key, value in tags.items():  # noqa: SIM110 (a generator costs twice as much, for every record)
        if key.__class__ is not str or value.__class__ is not str:
            return False
    return True


def split_tag(word: str) -> tuple[str, str]:
    """Key and value of `key:value` or `key=value`; a plain word is true.

    >>> split_tag("env:prod"), split_tag("urgent")
    (('env', 'prod'), ('urgent', 'true'))
    """
    for mark in (":", "="):
        key, found, value = word.partition(mark)
        if found:
            return key, value
    return word, "true"


def _tag_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None
