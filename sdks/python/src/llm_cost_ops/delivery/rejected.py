"""What the ledger refused for good, set aside with its reason: a line of JSON each, in the destination's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Optional

from llm_cost_ops.notices import NOTICES

NAME = "rejected.jsonl"
_MOST_BYTES = 64 * 1024 * 1024


def set_aside(folder: Optional[Path], refused: Sequence[tuple[bytes, str, str]]) -> None:
    """Write down (record, code, message) of each. Raises nothing."""
    _, code, message = refused[-1]
    where = "" if folder is None else f"; see {folder / NAME}"
    NOTICES.warn("rejected", f"the ledger refuses a tracked call: {message} ({code}){where}", len(refused))
    if folder is None:
        return
    lines = (_line(record, code, message) for record, code, message in refused)
    with suppress(OSError):
        fd = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(fd).st_size < _MOST_BYTES:
                os.write(fd, b"".join(lines))
        finally:
            os.close(fd)


def _line(record: bytes, code: str, message: str) -> bytes:
    why = json.dumps({"code": code, "message": message})
    return b'{"error":%b,"record":%b}\n' % (why.encode(), record)
