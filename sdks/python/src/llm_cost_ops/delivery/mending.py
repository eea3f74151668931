"""Records that the ledger refused for a part that they can do without: sent again with that part made fit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Callable, Optional

from llm_cost_ops.delivery.answers import Refusal

_MOST_TEXT = 256
_MOST_KEY = 128
_MOST_TAGS = 50
_MOST_METADATA = 3500
_MOST_VALUE = 200
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NUL = "\\u0000"
"""As JSON has it: the ledger takes it in no form."""
_TEXTS = ("project_id", "user_id", "team_id", "session_id", "requested_model_id", "response_id", "region")


def mended(record: bytes, refusal: Refusal) -> Optional[bytes]:
    """The record with the parts made fit that the refusal names; None where it cannot do without one of them."""
    try:
        fields = json.loads(record)
    except ValueError:
        return None
    if not refusal.problems:
        return None
    for field, _ in refusal.problems:
        name = field.partition(".")[0]
        mend = _MENDERS.get(name)
        if mend is None:
            return None
        if fields.get(name) is not None:
            fields[name] = mend(fields[name])
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(kept, separators=(",", ":")).encode()


def fit_text(value: Any, most: int = _MOST_TEXT) -> Optional[str]:
    """A short text without control characters; None where nothing is left."""
    text = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", str(value))
    return (text if len(text) <= most else text[: most - 1] + "…") or None


def fit_tags(value: Any) -> Any:
    """Tags whose keys and values are short texts, as many as the ledger takes."""
    if isinstance(value, dict):
        pairs = list(value.items())[:_MOST_TAGS]
        return {fit_text(key, _MOST_KEY): fit_text(_plain(text)) for key, text in pairs if key and text is not None}
    if isinstance(value, (list, tuple)):
        return [fit_text(_plain(text)) for text in value][:_MOST_TAGS]
    return None


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def fit_metadata(value: Any) -> Any:
    """As much of an object as the ledger keeps: long values are cut, and what comes last is left out."""
    if not isinstance(value, dict):
        return {"value": _cut(value)}
    kept: dict[str, Any] = {}
    size = 2
    for key, part in value.items():
        name, cut = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", key)[:_MOST_KEY], _cut(part)
        size += len(json.dumps({name: cut}, ensure_ascii=False).encode("utf-8", "replace"))
        if size > _MOST_METADATA:
            break
        kept[name] = cut
    return kept or None


def _cut(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > _MOST_VALUE or _UNFIT.search(text) or _NUL in text:
        return fit_text(text.replace(_NUL, "\N{REPLACEMENT CHARACTER}"), _MOST_VALUE)
    return value


_MENDERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_TEXTS, fit_text),
    "tags": fit_tags,
    "metadata": fit_metadata,
}


def named(problems: Sequence[tuple[str, str]]) -> str:
    """The fields that are named, for a log."""
    return ", ".join(sorted({field.partition(".")[0] for field, _ in problems}))
