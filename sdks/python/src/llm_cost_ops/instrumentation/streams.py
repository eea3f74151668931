"""A stream of somebody else's, listened to: each item is seen as it passes, and the end is told of once.

The end is what comes first: the last item, an exception, `close()`, the end of a `with` block, or that nobody holds
the stream any more. Everything else of the stream, its attributes and methods, is as it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Callable, Optional

Seen = Callable[[Any], None]
"""Is given each item. It raises nothing."""

Ended = Callable[[bool], None]
"""Is told of the end, and whether the stream was read to its end. It raises nothing."""


class _Watched:
    """What synchronous and asynchronous streams share."""

    def __init__(self, stream: Any, seen: Seen, ended: Ended) -> None:
        self._watched_stream = stream
        self._watched_items: Any = None
        self._watched_seen = seen
        self._watched_ended: Optional[Ended] = ended

    def _end(self, *, whole: bool) -> None:
        ended, self._watched_ended = self._watched_ended, None
        if ended is not None:
            ended(whole)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """`isinstance` is answered as for the stream itself."""
        return type(self.__dict__.get("_watched_stream", self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_watched_"):
            raise AttributeError(name)  # a stream that was never made, as in copies and pickles
        return getattr(self._watched_stream, name)

    def __del__(self) -> None:
        """Nobody holds it any more."""
        if self.__dict__.get("_watched_ended") is not None:
            self._end(whole=False)


class WatchedStream(_Watched):
    """An iterator, or what one is made of, listened to."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            if self._watched_items is None:
                self._watched_items = iter(self._watched_stream)
            item = next(self._watched_items)
        except StopIteration:
            self._end(whole=True)
            raise
        except BaseException:
            self._end(whole=False)
            raise
        self._watched_seen(item)
        return item

    def __enter__(self) -> Any:
        self._watched_stream = self._watched_stream.__enter__()
        return self

    def __exit__(self, *raised: Any) -> Any:
        try:
            return self._watched_stream.__exit__(*raised)
        finally:
            self._end(whole=False)

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the stream; one that cannot be closed is left."""
        try:
            close = getattr(self._watched_stream, "close", None)
            return None if close is None else close(*args, **kwargs)
        finally:
            self._end(whole=False)


class WatchedAsyncStream(_Watched):
    """An asynchronous iterator, or what one is made of, listened to."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            if self._watched_items is None:
                self._watched_items = self._watched_stream.__aiter__()
            item = await self._watched_items.__anext__()
        except StopAsyncIteration:
            self._end(whole=True)
            raise
        except BaseException:
            self._end(whole=False)
            raise
        self._watched_seen(item)
        return item

    async def __aenter__(self) -> Any:
        self._watched_stream = await self._watched_stream.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> Any:
        try:
            return await self._watched_stream.__aexit__(*raised)
        finally:
            self._end(whole=False)

    async def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the stream; one that cannot be closed is left."""
        return await self._closed("close", *args, **kwargs)

    async def aclose(self, *args: Any, **kwargs: Any) -> Any:
        """As `close`."""
        return await self._closed("aclose", *args, **kwargs)

    async def _closed(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            close = getattr(self._watched_stream, name, None)
            return None if close is None else await close(*args, **kwargs)
        finally:
            self._end(whole=False)
