"""When to ask again, and how long to wait before."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Optional

from llm_cost_ops._transport import Answer

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0
LONGEST_RETRY_AFTER = 60.0
"""Seconds. A server that asks for more has its refusal passed on at once, with `retry_after`."""
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_ALWAYS = (429, 503)
"""The server says that it did nothing."""
_WHERE_REPEATABLE = (408, 500, 502, 504)


class Attempts:
    """The attempts of one call: how many are left, and what the next one waits for."""

    def __init__(self, max_retries: int, *, may_repeat: bool) -> None:
        self._left = max_retries
        self._made = 0
        self._may_repeat = may_repeat

    def after_fault(self, *, was_sent: bool = True) -> Optional[float]:
        """Seconds until the next attempt after one that had no answer; None: there is none."""
        return self._next() if self._may_repeat or not was_sent else None

    def after_answer(self, answer: Answer) -> Optional[float]:
        """Seconds until the next attempt after this answer; None: it is the last word."""
        if answer.status not in _ALWAYS and not (self._may_repeat and answer.status in _WHERE_REPEATABLE):
            return None
        asked = retry_after(answer.headers)
        if asked is not None and asked > LONGEST_RETRY_AFTER:
            return None
        return self._next(asked)

    def _next(self, asked: Optional[float] = None) -> Optional[float]:
        if not self._left:
            return None
        self._left -= 1
        self._made += 1
        return pause(self._made, random.random()) if asked is None else asked + random.random() * FIRST_PAUSE  # noqa: S311


def pause(attempt: int, chance: float) -> float:
    """Seconds before the retry number `attempt`, from 1: they double, and `chance` (0 to 1) takes up to half away."""
    longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempt - 1))
    return longest * (1 - chance / 2)


def retry_after(headers: Mapping[str, str]) -> Optional[float]:
    """Seconds that `Retry-After` asks for, as a number or as a date; None where it says nothing that can be read."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
