"""What an answer tells of its cost, read without ever failing the application: pieces that instrumentors share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation.measuring import Measured, Skeleton
from llm_cost_ops.instrumentation.patching import Around, patch
from llm_cost_ops.instrumentation.streams import WatchedAsyncStream, WatchedStream


class Answer:
    """What was read of an answer, or of a stream so far. Subclasses keep counts, never content."""

    def see(self, item: Any) -> None:
        """The answer, or a stream's next event."""
        raise NotImplementedError

    def skeleton(self) -> Optional[Skeleton | list[Skeleton]]:
        """What is told of it; None where nothing said what was used."""
        raise NotImplementedError

    def fields(self) -> Mapping[str, Any]:
        """Further fields of the record."""
        return {}


def tell(measured: Measured, answer: Answer) -> None:
    """Tell of a call that ended. Raises nothing but a spend limit that is reached."""
    try:
        skeleton, fields = answer.skeleton(), answer.fields()
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
        measured.failed(error)
        return
    if skeleton is None:
        measured.without_usage("the answer, or what was read of it, does not say")
    else:
        measured.done(skeleton, **fields)


def tell_whole(measured: Measured, answer: Answer, item: Any) -> None:
    """Tell of a call that was answered in one piece."""
    try:
        answer.see(item)
    except Exception as error:  # noqa: BLE001
        measured.failed(error)
        return
    tell(measured, answer)


Begin = Callable[[Any, "tuple[Any, ...]", "dict[str, Any]"], Optional[Measured]]
"""`begin(self, args, kwargs)`: the measured call; None where it is not tracked."""

Made = Callable[[], Answer]


def whole(begin: Begin, made: Made) -> Around:
    """Around a method that returns an answer in one piece."""

    def around(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Any:
        measured = begin(self, args, kwargs)
        answer = original(self, *args, **kwargs)
        if measured is not None:
            tell_whole(measured, made(), answer)
        return answer

    return around


def awhole(begin: Begin, made: Made) -> Around:
    """Around one that is awaited."""

    async def around(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Any:
        measured = begin(self, args, kwargs)
        answer = await original(self, *args, **kwargs)
        if measured is not None:
            tell_whole(measured, made(), answer)
        return answer

    return around


def streamed(begin: Begin, made: Made, watching: Callable[..., Any] | None = None) -> Around:
    """Around a method that returns a stream; `watching` is `awatched` for an asynchronous one."""

    def around(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Any:
        measured = begin(self, args, kwargs)
        stream = original(self, *args, **kwargs)
        return stream if measured is None else (watching or watched)(stream, measured, made())

    return around


def astreamed(begin: Begin, made: Made) -> Around:
    """Around one that is awaited and then gives an asynchronous stream."""

    async def around(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Any:
        measured = begin(self, args, kwargs)
        stream = await original(self, *args, **kwargs)
        return stream if measured is None else awatched(stream, measured, made())

    return around


def watched(stream: Any, measured: Measured, answer: Answer) -> Any:
    """A stream whose events are seen as they pass, and that is told of when it ends."""
    return WatchedStream(stream, _seeing(measured, answer), lambda _whole: tell(measured, answer))


def awatched(
    stream: Any, measured: Measured, answer: Answer, kind: type[WatchedAsyncStream] = WatchedAsyncStream
) -> Any:
    """An asynchronous one."""
    return kind(stream, _seeing(measured, answer), lambda _whole: tell(measured, answer))


def _seeing(measured: Measured, answer: Answer) -> Callable[[Any], None]:
    def see(item: Any) -> None:
        try:
            answer.see(item)
        except Exception as error:  # noqa: BLE001
            measured.failed(error)

    return see


def picked(thing: Any, names: Iterable[str]) -> dict[str, Any]:
    """These attributes of an object, or keys of a mapping, as JSON has them; what is None or not there is left out."""
    found = ((name, thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)) for name in names)
    return {name: plain(value) for name, value in found if value is not None}


def plain(value: Any) -> Any:
    """An object of a client library as JSON has it."""
    told: Any = value
    if hasattr(told, "model_dump"):
        return told.model_dump(mode="json", exclude_none=True)
    return told.dict() if hasattr(told, "dict") and not isinstance(value, Mapping) else value


def patch_what_is_there(patches: Iterable[tuple[str, str, Around]]) -> Callable[[], None]:
    """Put functions around the methods that this version of a package has, and return what takes them off again.

    Each is a module, `Class.method` and what goes around it. Raises ImportError where the version has none of them.
    """
    taken_off: list[Callable[[], None]] = []
    missing: Optional[BaseException] = None
    for module, name, around in patches:
        try:
            taken_off.append(patch(module, name, around))
        except (ImportError, AttributeError) as error:
            missing = error
    if not taken_off:
        raise ImportError("this version has none of the methods that are tracked") from missing

    def take_off() -> None:
        for one in taken_off:
            one()

    return take_off
