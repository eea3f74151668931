"""What runs inside a server process beside answering: handed in, as this layer knows no workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cost_ops.bootstrap import Application


class Background(Protocol):
    """Work that begins and ends with the server."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, after what is being done; returns when it has."""

    def metrics_text(self) -> bytes:
        """What it counts, in Prometheus' form."""


MakeBackground = Callable[[Application], Background]
"""Called once in each process; it has to be found by its name, as processes are started afresh."""
