"""Blocks that say whom calls belong to, or what they may cost: around lines, functions and coroutines."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import copy_context
from typing import Any, Optional

import pytest

from llm_cost_ops import cost_context, spend_limit
from llm_cost_ops.carrying import carry_into_threads
from llm_cost_ops.context import attribution
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.spend_limits import _ACTIVE


def project() -> Optional[str]:
    return attribution().get("project_id")


@cost_context(project="search")
def asked(more: str = "") -> str:
    return f"{project()}{more}"


@cost_context(project="search")
async def asked_later(more: str = "") -> str:
    await asyncio.sleep(0)
    return f"{project()}{more}"


def test_a_decorated_function_runs_in_the_block_each_time() -> None:
    assert [asked(), asked(more="!"), project()] == ["search", "search!", None]


def test_a_decorated_coroutine_function_runs_in_the_block_and_is_still_one() -> None:
    async def main() -> list[Any]:
        return [*await asyncio.gather(asked_later(), asked_later(more="!")), project()]

    assert inspect.iscoroutinefunction(asked_later)
    assert asyncio.run(main()) == ["search", "search!", None]


def test_a_limit_holds_in_a_decorated_coroutine_function() -> None:
    @spend_limit(usd=2)
    async def limits() -> int:
        return len(_ACTIVE.get())

    assert (asyncio.run(limits()), len(_ACTIVE.get())) == (1, 0)


def test_a_generator_is_refused_rather_than_not_attributed() -> None:
    def pieces() -> Iterator[None]:
        yield

    async def later() -> AsyncIterator[None]:
        yield

    for generator in (pieces, later):
        with pytest.raises(SettingsError, match="is a generator"):
            cost_context(project="search")(generator)


@pytest.mark.parametrize(
    "made", [lambda: cost_context(project="search"), lambda: spend_limit(usd=1)], ids=["attribution", "limit"]
)
def test_a_block_may_end_in_another_context_than_it_began_in(made: Any) -> None:
    def dependency() -> Iterator[str]:
        with made():
            yield "given"

    running = dependency()
    assert copy_context().run(next, running) == "given"
    assert copy_context().run(next, running, "ended") == "ended"
    assert project() is None


def test_a_thread_that_could_not_be_started_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    carry_into_threads()
    found: list[Any] = []
    with cost_context(project="search"):
        thread = threading.Thread(target=lambda: found.append(project()))
        with monkeypatch.context() as patched:
            patched.setattr(threading, "_start_new_thread", full, raising=False)
            patched.setattr(threading, "_start_joinable_thread", full, raising=False)
            with pytest.raises(RuntimeError, match="can't start"):
                thread.start()
        thread.start()
    thread.join(30)
    assert found == ["search"]
