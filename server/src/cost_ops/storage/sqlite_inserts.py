"""Inserting many rows with few statements.

SQLite's driver gives the interpreter away at every step of a statement and has to win it back. With one row a step that
happens thousands of times a batch, each time against a busy event loop: it halved what a server takes in. So rows go in
by the hundred, in statements of a few fixed sizes, which stay prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

SIZES = (256, 64, 16, 4, 1)
"""Rows in one statement; 256 rows of the widest table stay far below SQLite's 32,766 parameters."""


class Inserting:
    """`INSERT INTO table (columns) VALUES (…), (…) …` for any number of rows."""

    def __init__(self, table: str, columns: Sequence[str], conflict: str = "") -> None:
        """Write the statements out, one for each size."""
        row = f"({', '.join('?' * len(columns))})"
        head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 (names of ours)
        self._statements = {size: f"{head}{', '.join([row] * size)} {conflict}" for size in SIZES}

    def run(self, connection: Any, rows: Sequence[Sequence[Any]]) -> int:
        """Insert the rows in order; how many rows were inserted or updated."""
        changed = done = 0
        for size in SIZES:
            statement = self._statements[size]
            while len(rows) - done >= size:
                values = list(chain.from_iterable(rows[done : done + size]))
                changed += connection.execute(statement, values).rowcount
                done += size
        return changed
