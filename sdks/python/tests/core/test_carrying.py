"""What a block says holds in the threads that it begins; nothing else is carried, and nothing stays behind in a pool."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_cost_ops import cost_context
from llm_cost_ops.carrying import carry_into_threads, stop_carrying
from llm_cost_ops.context import attribution

THEIRS: ContextVar[str] = ContextVar("theirs", default="nothing")


@pytest.fixture(autouse=True)
def _carrying() -> Iterator[None]:
    carry_into_threads()
    yield
    carry_into_threads()


def project() -> Optional[str]:
    return attribution().get("project_id")


def in_thread(kind: type[threading.Thread] = threading.Thread) -> Any:
    found: list[Any] = []
    thread = kind(target=lambda: found.append((project(), THEIRS.get())))
    thread.start()
    thread.join(30)
    return found[0]


def test_a_thread_has_what_held_where_it_was_begun_and_no_variable_of_anybody_else() -> None:
    token = THEIRS.set("something")
    with cost_context(project="search"):
        assert in_thread() == ("search", "nothing")
    assert in_thread() == (None, "nothing")
    THEIRS.reset(token)


def test_a_thread_of_a_class_with_a_run_of_its_own_has_it_too() -> None:
    found = []

    class Worker(threading.Thread):
        def run(self) -> None:
            found.append(project())

    with cost_context(project="search"):
        worker = Worker()
        worker.start()
        worker.join(30)
    assert found == ["search"]
    assert "run" not in vars(worker)


def test_a_timer_keeps_it_until_it_fires() -> None:
    found: list[Any] = []
    with cost_context(project="later"):
        timer = threading.Timer(0.001, lambda: found.append(project()))
        timer.start()
    timer.join(30)
    assert found == ["later"]


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=20))
def test_each_piece_of_work_in_a_pool_has_its_own_submitters(projects: list[Optional[str]]) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = []
        for name in projects:
            if name is None:
                futures.append(pool.submit(project))
            else:
                with cost_context(project=name):
                    futures.append(pool.submit(project))
        assert [future.result(30) for future in futures] == projects
        assert list(pool.map(lambda _: project(), range(4))) == [None] * 4


def test_executors_of_a_loop_carry_it() -> None:
    async def main() -> list[Optional[str]]:
        loop = asyncio.get_running_loop()
        with cost_context(project="loop"):
            inside = await loop.run_in_executor(None, project)
        return [inside, await loop.run_in_executor(None, project)]

    assert asyncio.run(main()) == ["loop", None]


def test_work_that_fails_leaves_nothing_behind() -> None:
    with ThreadPoolExecutor(1) as pool:
        with cost_context(project="search"):
            failed = pool.submit(lambda: 1 // 0)
        assert isinstance(failed.exception(30), ZeroDivisionError)
        assert pool.submit(project).result(30) is None


def test_work_begun_in_a_pool_carries_on() -> None:
    with ThreadPoolExecutor(2) as pool:
        with cost_context(project="outer"):
            inner = pool.submit(lambda: pool.submit(project)).result(30)
        assert inner.result(30) == "outer"


def test_keyword_arguments_and_results_pass_as_they_are() -> None:
    with ThreadPoolExecutor(1) as pool, cost_context(project="search"):
        assert pool.submit(lambda fn, values, kwargs: (fn, values, kwargs), fn=1, values=2, kwargs=3).result(30) == (
            1,
            2,
            3,
        )


def test_it_is_taken_off_again() -> None:
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    carry_into_threads()
    assert threading.Thread.start is start
    stop_carrying()
    assert threading.Thread.start is not start
    assert ThreadPoolExecutor.submit is not submit
    assert THEIRS.get() == "nothing"
    with cost_context(project="search"):  # puts it on again
        assert in_thread()[0] == "search"
