"""`with` blocks that set a context variable, and that are decorators too, of functions and of coroutine functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from llm_cost_ops.exceptions import SettingsError

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    _Given = ParamSpec("_Given")

_Value = TypeVar("_Value")
_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Block(AbstractContextManager[_Value]):
    """A block that `with` opens, or each call of a function that it decorates."""

    def __init__(self, made: Callable[[], AbstractContextManager[_Value]]) -> None:
        self._made = made
        self._opened: Optional[AbstractContextManager[_Value]] = None

    def __enter__(self) -> _Value:
        self._opened = self._made()
        return self._opened.__enter__()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> Optional[bool]:
        opened = self._opened
        return None if opened is None else opened.__exit__(kind, error, traceback)

    def __call__(self, function: _Function) -> _Function:
        """The function within such a block. Raises SettingsError for a generator, which runs outside of it too."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise SettingsError(f"{function.__qualname__} is a generator: write the block into it, with `with`")
        made = self._made

        @functools.wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            with made():
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def awaited_within(*args: Any, **kwargs: Any) -> Any:
            with made():
                return await function(*args, **kwargs)

        found: Any = awaited_within if inspect.iscoroutinefunction(function) else within
        return found  # type: ignore[no-any-return]


def block(body: Callable[_Given, Iterator[_Value]]) -> Callable[_Given, Block[_Value]]:
    """As `contextlib.contextmanager`."""
    opened = contextmanager(body)

    @functools.wraps(body)
    def made(*args: _Given.args, **kwargs: _Given.kwargs) -> Block[_Value]:
        return Block(lambda: opened(*args, **kwargs))

    return made


def put_back(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Undo what a block set.

    A web framework may run the end of a generator, and of the block in it, in another context than its beginning: there
    is nothing to undo there.
    """
    try:
        variable.reset(token)
    except ValueError:
        return
