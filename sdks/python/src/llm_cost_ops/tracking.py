"""`track`: a record leaves the calling thread at once, and reaches the ledger from another.

On the calling thread a record gets what it belongs to, its time and its key, and becomes bytes; nothing here waits and
nothing here raises. What happens to the bytes then is `delivery`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import count
from time import time_ns
from typing import Any, Optional, Protocol

from llm_cost_ops import spend_limits
from llm_cost_ops.context import attribution, merged
from llm_cost_ops.forking import tell_in_child
from llm_cost_ops.notices import NOTICES
from llm_cost_ops.plain import as_text, plain

_LARGE = 64 * 1024
"""Bytes of a record that are not of a usage object."""


class Delivery(Protocol):
    """Where tracked records go. Everything may be called from any thread and from a forked child."""

    def put(self, record: bytes, key: bytes, at_ns: int) -> None:
        """Take a record: a JSON object without time and key, its key of 16 bytes and its time in unix nanoseconds.

        Raises nothing.
        """

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Wait until all that was put is in the ledger; whether it is."""

    def close(self, timeout: Optional[float] = None) -> None:
        """Flush and stop. What is not delivered by then stays in the spool, if there is one."""


class Tracker:
    """Makes records of what it is told, and puts them into a delivery."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self._encode = json.JSONEncoder(
            separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=as_text
        ).encode
        self.after_fork()
        tell_in_child(self)

    def after_fork(self) -> None:
        """No two processes give a key twice."""
        self._prefix = os.urandom(8)
        self._numbers = count()

    def track(self, fields: Mapping[str, Any]) -> None:
        """Put a record of these fields, which are those of `POST /api/v1/usage`. Raises nothing."""
        record = b""
        try:
            around = attribution()
            said = merged(around, fields) if around else fields
            try:
                record = self._encode(said).encode()
            except Exception:  # noqa: BLE001  (the application's objects raise what they like, or change meanwhile)
                record = self._mended(said)
            if len(record) > _LARGE and said.get("metadata"):
                record = self._mended({**said, "metadata": None})
            if record[:1] != b"{":
                raise TypeError(f"a record is made of named fields, not of {type(fields).__name__}")
            spend_limits.expect(record, self.delivery)
            self.delivery.put(record, self._prefix + next(self._numbers).to_bytes(8, "big"), time_ns())
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
            spend_limits.forget(record)
            self.failed(error)

    def _mended(self, fields: Mapping[str, Any]) -> bytes:
        """The record without what JSON cannot hold, or without metadata that is too much."""
        self._count("mended")
        NOTICES.warn("plain", "a tracked call has a part that is too large, or that JSON cannot hold: it goes without")
        return self._encode(plain(fields)).encode()

    def failed(self, error: BaseException) -> None:
        """Count and log a failure of ours."""
        spend_limits.doubt(f"a call was not tracked ({type(error).__name__})")
        self._count("failed")
        NOTICES.warn("tracking", f"a call was not tracked: {type(error).__name__}: {error}")

    def _count(self, what: str) -> None:
        counting = getattr(self.delivery, "count", None)
        if counting is not None:
            counting(what)
