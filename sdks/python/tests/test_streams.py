"""A stream that is listened to is the stream that it was, and its end is told of once."""

from __future__ import annotations

import asyncio
import copy
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any, Callable

import pytest

from llm_cost_ops.instrumentation.streams import WatchedAsyncStream, WatchedStream


class Numbers:
    """A stream of a library: an attribute, a close, and use as a block."""

    name = "numbers"

    def __init__(self, fails_at: int = 99) -> None:
        self.closed = 0
        self.fails_at = fails_at

    def __iter__(self) -> Iterator[int]:
        for number in range(3):
            if number == self.fails_at:
                raise ConnectionError("cut off")
            yield number

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in self:
            yield number

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1

    def __enter__(self) -> Numbers:
        return self

    def __exit__(self, *raised: Any) -> None:
        self.close()

    async def __aenter__(self) -> Numbers:
        return self

    async def __aexit__(self, *raised: Any) -> None:
        self.close()


class Heard:
    """What was told while a stream was listened to."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.ends: list[bool] = []

    def stream(self, stream: Any, kind: Any = WatchedStream) -> Any:
        return kind(stream, self.items.append, self.ends.append)


def _closed(stream: Any) -> None:
    next(stream)
    stream.close()


def _left(stream: Any) -> None:
    with stream:
        next(stream)


def _dropped(stream: Any) -> None:
    next(stream)


@pytest.mark.parametrize("leave", [_closed, _left, _dropped])
def test_leaving_a_stream_ends_it_once(leave: Callable[[Any], None]) -> None:
    heard = Heard()
    leave(heard.stream(Numbers()))
    gc.collect()
    assert (heard.items, heard.ends) == ([0], [False])


def test_reading_a_stream_to_its_end_ends_it_once() -> None:
    heard = Heard()
    with heard.stream(Numbers()) as stream:
        assert list(stream) == [0, 1, 2]
        assert list(stream) == []
    assert (heard.items, heard.ends) == ([0, 1, 2], [True])


def test_an_exception_is_the_applications_and_ends_the_stream_once() -> None:
    heard = Heard()
    with pytest.raises(ConnectionError, match="cut off"):
        list(heard.stream(Numbers(fails_at=2)))
    assert (heard.items, heard.ends) == ([0, 1], [False])


def test_all_else_of_the_stream_is_as_it_was() -> None:
    numbers = Numbers()
    stream = Heard().stream(numbers)
    assert (stream.name, stream.fails_at) == ("numbers", 99)
    with pytest.raises(AttributeError):
        _ = stream.no_such_thing
    stream.close()
    assert numbers.closed == 1
    assert copy.copy(stream).name == "numbers"


def test_asynchronous_streams_end_alike() -> None:
    async def ends(leave: Callable[[Any], Any], **numbers: Any) -> tuple[list[Any], list[bool]]:
        heard = Heard()
        await leave(heard.stream(Numbers(**numbers), WatchedAsyncStream))
        gc.collect()
        return heard.items, heard.ends

    async def whole(stream: Any) -> None:
        async with stream:
            assert [number async for number in stream] == [0, 1, 2]

    async def closed(stream: Any) -> None:
        await stream.__anext__()
        await stream.aclose()

    async def left(stream: Any) -> None:
        async with stream:
            await stream.__anext__()

    async def failing(stream: Any) -> None:
        with pytest.raises(ConnectionError):
            _ = [number async for number in stream]

    async def run() -> None:
        assert await ends(whole) == ([0, 1, 2], [True])
        assert await ends(closed) == ([0], [False])
        assert await ends(left) == ([0], [False])
        assert await ends(failing, fails_at=1) == ([0], [False])

    asyncio.run(run())
