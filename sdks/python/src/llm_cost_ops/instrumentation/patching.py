"""Putting a function of ours around one of somebody else's class, and taking it off again.

Our own, not wrapt: the SDK depends on its HTTP client alone, and what is needed is this page.
"""

from __future__ import annotations

import functools
import inspect
from importlib import import_module
from typing import Any, Callable

Around = Callable[[Callable[..., Any], Any, "tuple[Any, ...]", "dict[str, Any]"], Any]
"""`around(original, self, args, kwargs)`: calls `original(self, *args, **kwargs)` and returns what it returned."""

_MARK = "__llm_cost_ops_original__"


def patch(module: str, name: str, around: Around) -> Callable[[], None]:
    """Put `around` around a method, named `Class.method`, and return what takes it off again.

    A method that is patched already stays as it is. Raises ImportError or AttributeError where there is no such method.
    """
    owner: Any = import_module(module)
    *path, attribute = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    return patch_on(owner, attribute, around)


def patch_on(owner: Any, attribute: str, around: Around) -> Callable[[], None]:
    """As `patch`, with the class itself: its name may lead elsewhere, where somebody else patched, too."""
    original = getattr(owner, attribute)
    if hasattr(original, _MARK):
        return _nothing

    @functools.wraps(original)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(original, self, args, kwargs)

    @functools.wraps(original)
    async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await around(original, self, args, kwargs)

    patched = awaited if inspect.iscoroutinefunction(original) else called
    setattr(patched, _MARK, original)
    setattr(owner, attribute, patched)

    def take_off() -> None:
        if getattr(owner, attribute, None) is patched:
            setattr(owner, attribute, original)

    return take_off


def _nothing() -> None:
    """There is nothing to take off."""
