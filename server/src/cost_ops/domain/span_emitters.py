"""Who counts how, as data: the conventions say that `input_tokens` includes cached tokens; these emitters do not.

A row needs a source that says so. Where the source also says which version mended it, the row ends there; an emitter
that states no version is then taken at the conventions' word, and its numbers are checked all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple


class Emitter(NamedTuple):
    """An instrumentation whose input tokens leave cached and written ones out.

    `providers` are beginnings of provider names in lower case, `below` is the first version that counts as the
    conventions say, `unless` names attributes that only versions have which do.
    """

    scope: str
    providers: tuple[str, ...]
    source: str
    below: tuple[int, ...] | None = None
    unless: tuple[str, ...] = ()


EXCLUSIVE = (
    Emitter(
        "ai",
        ("anthropic", "amazon-bedrock", "bedrock", "vertex.anthropic", "google.vertex.anthropic"),
        "https://github.com/getsentry/sentry-javascript/pull/21488, https://github.com/anomalyco/opencode/pull/19758: "
        "the AI SDK counts inclusively since version 6, whose usage has inputTokenDetails",
        unless=("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.inputTokenDetails.cacheWriteTokens"),
    ),
    Emitter(
        "openinference.instrumentation.langchain",
        ("anthropic",),
        "https://github.com/Arize-ai/openinference/pull/2414, released with 0.1.55",
        below=(0, 1, 55),
    ),
)

_BY_SCOPE = {row.scope: row for row in EXCLUSIVE}
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})")


def counts_exclusively(scope: str, version: str, provider: str, attributes: Mapping[str, Any]) -> bool:
    """Whether this emitter is known to leave cached tokens out of its input tokens."""
    row = _BY_SCOPE.get(scope)
    if row is None or not provider.lower().startswith(row.providers):
        return False
    if any(name in attributes for name in row.unless):
        return False
    return row.below is None or _is_below(version, row.below)


@lru_cache(maxsize=1024)
def _is_below(version: str, limit: tuple[int, ...]) -> bool:
    found = _VERSION.match(version)
    return found is not None and tuple(int(part) for part in found[1].split(".")) < limit
