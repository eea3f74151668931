"""What became of the records that were tracked, to look at: `client.delivery.counters`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Optional


@dataclass
class Counters:
    """Counts since this process made the client, or was forked; those of records unless they say otherwise."""

    tracked: int = 0
    """What `track` has returned for and is kept until it is delivered."""
    delivered: int = 0
    """In the ledger, those of other processes included (`adopted` says how many)."""
    duplicates: int = 0
    """Of the delivered ones: were in the ledger already, as after an answer that was lost. They count once there."""
    adopted: int = 0
    """Of the delivered ones: were left behind by a process that is no more."""
    rejected: int = 0
    """The ledger refused them for good; they stand in `rejected.jsonl` with the reason, if there is a spool."""
    dropped: int = 0
    """There was no room for them; they are lost."""
    damaged: int = 0
    """Places on disk that could not be read; their bytes stand in files that end in `.damaged`."""
    mended: int = 0
    """A part of them was shortened, replaced or left out: the ledger had refused it, or JSON cannot hold it."""
    redated: int = 0
    """Their time lay ahead of the ledger's; they were given the ledger's."""
    retried: int = 0
    """Requests that were sent again."""
    failed: int = 0
    """Failures of ours around a call; nobody was told but the log."""
    waiting_records: int = 0
    waiting_bytes: int = 0
    last_error: Optional[str] = None

    def copy(self) -> Counters:
        """These counts, as they are now."""
        return replace(self)

    def __repr__(self) -> str:
        """What is not 0."""
        said = ((field.name, getattr(self, field.name)) for field in fields(self))
        return f"Counters({', '.join(f'{name}={value!r}' for name, value in said if value)})"
