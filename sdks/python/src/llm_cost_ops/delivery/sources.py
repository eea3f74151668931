"""Where records wait: what is taken from a source is settled there when it is done with."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from llm_cost_ops.delivery.frames import Entry


class Source(Protocol):
    """Keeps what was taken from it until that is settled."""

    def settle(self, position: int) -> None:
        """Everything before `position` is done with."""


class Taken(NamedTuple):
    """Records to be sent, oldest first. `own`: this process tracked them."""

    entries: list[Entry]
    source: Source
    position: int
    own: bool
