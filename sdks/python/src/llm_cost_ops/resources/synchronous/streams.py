"""Everything of a range, in batches, however much it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Optional

from llm_cost_ops._answers import decoded
from llm_cost_ops._requests import Call
from llm_cost_ops.exceptions import ConnectionError
from llm_cost_ops.models.usage import UsageRecord
from llm_cost_ops.resources.synchronous.calling import Caller


class RecordStream:
    """Records, oldest first, in batches. It asks when it is entered, or first iterated over, and can be read once."""

    def __init__(self, caller: Caller, call: Call[Any], batch_size: int) -> None:
        self._caller, self._call, self._batch_size = caller, call, batch_size
        self._stack = ExitStack()
        self._pieces: Optional[Iterator[bytes]] = None

    def __enter__(self) -> RecordStream:
        if self._pieces is None:
            self._pieces = self._stack.enter_context(self._caller.stream(self._call))
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection, read or not."""
        self._stack.close()

    def __iter__(self) -> Iterator[list[UsageRecord]]:
        with self:
            batch: list[UsageRecord] = []
            for line in self._lines():
                batch.append(self._record(line))
                if len(batch) == self._batch_size:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def records(self) -> Iterator[UsageRecord]:
        """One after the other instead of in batches."""
        for batch in self:
            for record in batch:
                yield record

    def _lines(self) -> Iterator[bytes]:
        """Each line. The end of the last one is what says that nothing is missing."""
        rest = b""
        for piece in self._opened():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
        if rest.strip():
            yield rest

    def _opened(self) -> Iterator[bytes]:
        if self._pieces is None:
            raise RuntimeError("the stream is not open")
        return self._pieces

    def _record(self, line: bytes) -> UsageRecord:
        try:
            return UsageRecord(decoded(line))
        except (TypeError, ValueError) as error:
            url = self._caller.settings.base_url
            raise ConnectionError(f"a line of the stream of {url} cannot be read: {line[:80]!r}") from error
