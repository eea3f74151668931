"""What may be said about delivery in the background."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from llm_cost_ops.exceptions import SettingsError

MOST_RECORDS = 10_000
"""Of one batch, as the server takes it."""
MOST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class DeliverySettings:
    """How records wait and when they are sent: `CostOpsClient(delivery=DeliverySettings(when_full="block"))`."""

    spool: Union[bool, str, Path] = True
    """Where records wait: a folder; True for COST_OPS_SPOOL, else the user's own; False for memory alone."""
    spool_limit_bytes: int = 1024**3
    """What may wait on disk for one destination."""
    segment_bytes: int = 1024**2
    buffer_records: int = MOST_RECORDS
    """What may wait in memory, where there is no disk to write to."""
    batch_records: int = 1000
    """So many waiting records are sent at once; up to five times as many where more wait."""
    batch_bytes: int = 1024**2
    linger_seconds: float = 0.25
    """A record waits so long for others to go with it."""
    when_full: str = "drop"
    """`drop`: what has no room is counted and lost. `block`: `track` waits for room first, for `block_seconds`."""
    block_seconds: float = 5.0
    flush_seconds: float = 30.0
    """How long `flush()` waits that is told nothing."""
    exit_seconds: float = 5.0
    """How long the interpreter's end, and `close()`, wait at most."""

    def __post_init__(self) -> None:
        """Raises SettingsError for what cannot be."""
        if self.when_full not in ("drop", "block"):
            raise SettingsError(f'when_full must be "drop" or "block", got {self.when_full!r}')
        for name in ("buffer_records", "batch_records", "batch_bytes", "segment_bytes", "spool_limit_bytes"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be 1 or more, got {getattr(self, name)!r}")
        for name in ("linger_seconds", "block_seconds", "flush_seconds", "exit_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingsError(f"{name} must be a number of seconds, 0 or more, got {getattr(self, name)!r}")
        if self.batch_records > MOST_RECORDS or self.batch_bytes > MOST_BYTES:
            raise SettingsError(f"a batch has {MOST_RECORDS} records and {MOST_BYTES} bytes at most")


def spool_root(settings: DeliverySettings) -> Path:
    """The folder below which every destination has its own."""
    if settings.spool is not True:
        return Path(str(settings.spool)).expanduser()
    named = os.environ.get("COST_OPS_SPOOL")
    if named:
        return Path(named).expanduser()
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    return base / "llm-cost-ops" / "spool"
