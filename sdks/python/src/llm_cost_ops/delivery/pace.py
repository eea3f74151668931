"""How long to wait after a batch that the ledger did not take."""

from __future__ import annotations

import random
from typing import Optional

from llm_cost_ops.delivery.answers import KEY

_FIRST = 0.25
_LONGEST = 30.0
_WITHOUT_RIGHT = 15.0
_LONGEST_ASKED = 300.0
_FAULTS_UNTIL_SPLIT = 3


class Pace:
    """Failures in a row, and what they say about the next attempt."""

    def __init__(self) -> None:
        self.failures = 0
        self._faults = 0

    def went_well(self) -> None:
        """The ledger answered."""
        self.failures = self._faults = 0

    def pause(self, why: str, asked: Optional[float]) -> float:
        """Seconds to wait: what the server asks for, else doubling up to 30, with up to half of it left to chance."""
        self.failures += 1
        if asked is not None:
            return min(asked, _LONGEST_ASKED) + random.random() * _FIRST  # noqa: S311
        longest = _WITHOUT_RIGHT if why == KEY else min(_LONGEST, _FIRST * 2.0 ** min(self.failures - 1, 10))
        return longest * (1 - random.random() / 2)  # noqa: S311

    def suspects_a_record(self) -> bool:
        """A server that fails three times in a row on the same records may fail because of one of them."""
        self._faults += 1
        return self._faults >= _FAULTS_UNTIL_SPLIT

    def forget_suspicion(self) -> None:
        """Other records are tried next."""
        self._faults = 0
