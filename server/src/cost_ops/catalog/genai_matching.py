"""genai-prices' match clauses → aliases.

A clause is a dataclass of one field: `equals`, `starts_with`, `ends_with`, `contains`, `regex`, or a list `or_` or
`and_`. genai-prices lowers the name and the pattern, except the pattern of a regex; so do aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

_DASHED_DATE = re.compile(r"-(20\d\d)-(\d\d)-(\d\d)")


def patterns_of(clause: Any) -> list[tuple[str, str]]:
    """The (kind, pattern) pairs of which any one means the model; an `and_` becomes a regex of lookaheads."""
    kind, value = _field(clause)
    if kind == "or_":
        return [pair for part in value for pair in patterns_of(part)]
    if kind == "and_":
        return [("regex", r"(?s)\A" + _lookahead(clause))]
    return [(kind, value if kind == "regex" else value.lower())]


def _field(clause: Any) -> tuple[str, Any]:
    ((kind, value),) = vars(clause).items()
    return kind, value


def _lookahead(clause: Any) -> str:
    """A regex that matches nothing, at the start of a name for which the clause holds."""
    kind, value = _field(clause)
    if kind == "and_":
        return "".join(_lookahead(part) for part in value)
    if kind == "or_":
        return "(?:" + "|".join(_lookahead(part) for part in value) + ")"
    if kind == "regex":
        return f"(?=.*(?:{value}))"
    text = re.escape(value.lower())
    form = {"equals": rf"(?={text}\Z)", "starts_with": f"(?={text})", "ends_with": rf"(?=.*{text}\Z)"}
    return form.get(kind, f"(?=.*{text})")


def compact_dates(patterns: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The patterns with a date, written as LiteLLM and OpenRouter do: `…-20251211` for `…-2025-12-11`.

    genai-prices tries the dashed form of a name when nothing matches the name as it is.
    """
    for kind, pattern in patterns:
        if kind == "regex":
            continue
        compact = _DASHED_DATE.sub(_compact, pattern)
        if compact != pattern:
            yield kind, compact


def _compact(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    try:
        date(year, month, day)
    except ValueError:
        return match.group(0)
    return "-" + "".join(match.groups())
