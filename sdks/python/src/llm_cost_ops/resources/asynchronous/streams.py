"""Everything of a range, in batches, however much it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Optional

from llm_cost_ops._answers import decoded
from llm_cost_ops._requests import Call
from llm_cost_ops.exceptions import ConnectionError
from llm_cost_ops.models.usage import UsageRecord
from llm_cost_ops.resources.asynchronous.calling import AsyncCaller


class AsyncRecordStream:
    """Records, oldest first, in batches. It asks when it is entered, or first iterated over, and can be read once."""

    def __init__(self, caller: AsyncCaller, call: Call[Any], batch_size: int) -> None:
        self._caller, self._call, self._batch_size = caller, call, batch_size
        self._stack = AsyncExitStack()
        self._pieces: Optional[AsyncIterator[bytes]] = None

    async def __aenter__(self) -> AsyncRecordStream:
        if self._pieces is None:
            self._pieces = await self._stack.enter_async_context(self._caller.stream(self._call))
        return self

    async def __aexit__(self, *why: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connection, read or not."""
        await self._stack.aclose()

    async def __aiter__(self) -> AsyncIterator[list[UsageRecord]]:
        async with self:
            batch: list[UsageRecord] = []
            async for line in self._lines():
                batch.append(self._record(line))
                if len(batch) == self._batch_size:
                    yield batch
                    batch = []
            if batch:
                yield batch

    async def records(self) -> AsyncIterator[UsageRecord]:
        """One after the other instead of in batches."""
        async for batch in self:
            for record in batch:
                yield record

    async def _lines(self) -> AsyncIterator[bytes]:
        """Each line. The end of the last one is what says that nothing is missing."""
        rest = b""
        async for piece in self._opened():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line
        if rest.strip():
            yield rest

    def _opened(self) -> AsyncIterator[bytes]:
        if self._pieces is None:
            raise RuntimeError("the stream is not open")
        return self._pieces

    def _record(self, line: bytes) -> UsageRecord:
        try:
            return UsageRecord(decoded(line))
        except (TypeError, ValueError) as error:
            url = self._caller.settings.base_url
            raise ConnectionError(f"a line of the stream of {url} cannot be read: {line[:80]!r}") from error
