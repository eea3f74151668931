"""Attribution and spend limits in threads: what `with cost_context(…)` says holds in the threads that it begins, too.

asyncio hands context variables on to its tasks; threads and pools begin with none. Here `Thread.start` and
`ThreadPoolExecutor.submit` hand on ours, and no others.
"""

from __future__ import annotations

import functools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Callable

from llm_cost_ops import context, spend_limits

_MARK = "__llm_cost_ops_carries__"
_NOT_CARRIED = ("multiprocessing.", "concurrent.futures.", "llm_cost_ops.")
"""Threads of pools, which work for everybody, and our own."""
_VARIABLES: tuple[ContextVar[Any], ...] = (context._CURRENT, spend_limits._ACTIVE)
_Values = list[tuple["ContextVar[Any]", Any]]
_INSTALLED: list[Callable[[], None]] = []


def carry_into_threads() -> None:
    """Hand attribution and spend limits on to threads from here on."""
    if not _INSTALLED:
        _INSTALLED.append(_put_on(threading.Thread, "start", _start))
        _INSTALLED.append(_put_on(ThreadPoolExecutor, "submit", _submit))


def stop_carrying() -> None:
    """Take it off again."""
    while _INSTALLED:
        _INSTALLED.pop()()


def _put_on(owner: Any, name: str, made: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[[], None]:
    original = getattr(owner, name)
    ours = functools.wraps(original)(made(original))
    setattr(owner, name, ours)

    def take_off() -> None:
        if getattr(owner, name) is ours:
            setattr(owner, name, original)

    return take_off


def _start(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(self: threading.Thread, *args: Any, **kwargs: Any) -> Any:
        if (values := _here()) and not type(self).__module__.startswith(_NOT_CARRIED):
            run = self.run

            def run_carried() -> None:
                self.__dict__.pop("run", None)  # the thread's own again
                _with(values, run, (), {})

            self.__dict__["run"] = run_carried
        return original(self, *args, **kwargs)

    return start


def _submit(original: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        values = _here()
        if not values:
            return original(self, fn, *args, **kwargs)
        # A thread that the pool begins for this is there for everybody's work after: it carries nothing itself.
        nothing: _Values = [(variable, _EMPTY[variable]) for variable in _VARIABLES]
        found: Future[Any] = _with(nothing, original, (self, _with, values, fn, args, kwargs), {})
        return found

    return submit


_EMPTY: dict[ContextVar[Any], Any] = {context._CURRENT: {}, spend_limits._ACTIVE: ()}


def _here() -> _Values:
    return [(variable, value) for variable in _VARIABLES if (value := variable.get())]


def _with(values: _Values, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function where our context variables have these values."""
    tokens = [(variable, variable.set(value)) for variable, value in values]
    try:
        return fn(*args, **kwargs)
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)
