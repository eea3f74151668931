"""Whom calls belong to: `with cost_context(project="search", user="ana"):`.

What is said holds for every call in the block, in the functions it calls and in its asyncio tasks, because it stands
in a context variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Callable, Optional

from llm_cost_ops.blocks import block, put_back
from llm_cost_ops.notices import NOTICES

Source = Callable[[], Mapping[str, Any]]
"""Says what is known around a call only when it is tracked, such as the route that a request took."""

_CURRENT: ContextVar[Mapping[str, Any]] = ContextVar("llm_cost_ops_attribution", default={})  # noqa: B039  (never changed in place)
_SOURCES: list[Source] = []


def attribution() -> Mapping[str, Any]:
    """The fields of a usage record that the blocks around this line say, over those of sources; not to be changed."""
    said = _CURRENT.get()
    for source in _SOURCES:
        said = merged(_of(source), said)
    return said


def attribute_from(source: Source) -> Callable[[], None]:
    """Ask a source, too, whenever a call is tracked, and return what ends this. What a block says wins over it."""
    if source not in _SOURCES:
        _SOURCES.append(source)
    return lambda: _SOURCES.remove(source) if source in _SOURCES else None


def _of(source: Source) -> Mapping[str, Any]:
    try:
        return source()
    except Exception as error:  # noqa: BLE001  (a call is tracked without what is not known of it)
        NOTICES.warn("source", f"a call was tracked without its attribution: {type(error).__name__}: {error}")
        return {}


@block
def cost_context(
    *,
    project: Optional[str] = None,
    user: Optional[str] = None,
    team: Optional[str] = None,
    session: Optional[str] = None,
    tags: Optional[Mapping[str, str]] = None,
    metadata: Optional[Mapping[str, Any]] = None,
) -> Iterator[None]:
    """Attribute every call in the block. A block within a block adds to it, and wins where both say something.

    As a decorator, `@cost_context(project="search")` attributes the calls of a function, `def` or `async def`.
    """
    from llm_cost_ops.carrying import carry_into_threads

    carry_into_threads()
    given = {"project_id": project, "user_id": user, "team_id": team, "session_id": session}
    said = {name: str(value) for name, value in given.items() if value is not None}  # ids are often numbers
    token = _CURRENT.set(merged(_CURRENT.get(), {**said, "tags": tags, "metadata": metadata}))
    try:
        yield
    finally:
        put_back(_CURRENT, token)


def merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `inner` over those of `outer`; tags and metadata key by key; what is None says nothing."""
    fields = dict(outer)
    for name, value in inner.items():
        if value is None:
            continue
        if name in ("tags", "metadata") and isinstance(value, Mapping):
            fields[name] = {**fields.get(name, {}), **value}
        else:
            fields[name] = value
    return fields
