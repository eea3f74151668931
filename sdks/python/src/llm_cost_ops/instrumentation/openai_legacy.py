"""openai before 1.0: `openai.ChatCompletion.create(…)`, `Completion`, `Embedding`, and their `acreate`.

Its streams say nothing of usage, and servers of its time refuse to be asked for it: unless the caller asks with
`stream_options`, a stream's cost is not known, and that is logged.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Callable

from llm_cost_ops.exceptions import CostOpsError
from llm_cost_ops.instrumentation.active import tracker_of
from llm_cost_ops.instrumentation.measuring import Measured
from llm_cost_ops.instrumentation.skeletons import skeleton

_CLASSES = ("ChatCompletion", "Completion", "Embedding")
_AZURE = ("azure", "azure_ad", "azuread")


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    import openai

    taken_off = []
    for name in _CLASSES:
        owner = getattr(openai, name)
        for method, around in (("create", _create), ("acreate", _acreate)):
            original = owner.__dict__[method]
            setattr(owner, method, classmethod(_patched(original.__func__, around)))
            taken_off.append(functools.partial(setattr, owner, method, original))

    def take_off() -> None:
        for restore in taken_off:
            restore()

    return take_off


def _patched(original: Callable[..., Any], around: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def patched(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return around(functools.partial(original, cls), args, kwargs)

    return patched


def _create(original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    measured = _begin(kwargs)
    answer = original(*args, **kwargs)
    if measured is None:
        return answer
    return _streamed(answer, measured) if kwargs.get("stream") else _told(answer, measured)


async def _acreate(original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    measured = _begin(kwargs)
    answer = await original(*args, **kwargs)
    if measured is None:
        return answer
    return _astreamed(answer, measured) if kwargs.get("stream") else _told(answer, measured)


def _begin(kwargs: Mapping[str, Any]) -> Measured | None:
    tracker = tracker_of()
    if tracker is None:
        return None
    import openai

    kind = str(kwargs.get("api_type") or openai.api_type or "").lower()
    asked = kwargs.get("model") or kwargs.get("engine") or kwargs.get("deployment_id")
    return Measured(tracker, "azure" if kind in _AZURE else "openai", asked and str(asked))


def _told(answer: Any, measured: Measured) -> Any:
    try:
        measured.done(skeleton(answer))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
        measured.failed(error)
    return answer


def _streamed(answer: Iterator[Any], measured: Measured) -> Iterator[Any]:
    last: Any = None
    for event in answer:
        last = event if event.get("usage") else last
        yield event
    _end_of_stream(last, measured)


async def _astreamed(answer: AsyncIterator[Any], measured: Measured) -> AsyncIterator[Any]:
    last: Any = None
    async for event in answer:
        last = event if event.get("usage") else last
        yield event
    _end_of_stream(last, measured)


def _end_of_stream(last: Any, measured: Measured) -> None:
    if last is not None:
        _told(last, measured)
    else:
        measured.failed(CostOpsError("openai before 1.0 tells nothing of a stream's usage: what it cost is unknown"))
