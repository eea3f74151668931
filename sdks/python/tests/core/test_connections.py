"""Connections: used again, closed when it is time, and never shared with a forked child."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading

import pytest

from fakes.ledger import FakeLedger, Reply
from llm_cost_ops import AsyncCostOpsClient, CostOpsClient
from llm_cost_ops.exceptions import ConnectionError, RateLimitError

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1200, "output_tokens": 300}
KEY = "sk_live_fake_0123456789"


def connections(fake: FakeLedger) -> set[int]:
    return {asked.connection for asked in fake.asked}


def test_one_connection_serves_one_call_after_another(client: CostOpsClient, fake: FakeLedger) -> None:
    for _ in range(5):
        client.usage.submit(**CALL)
    client.with_options(timeout=3).usage.get_history()
    assert len(fake.asked) == 7
    assert len(connections(fake)) == 1


def test_the_organisation_of_a_key_is_asked_for_once(client: CostOpsClient, fake: FakeLedger) -> None:
    for _ in range(3):
        client.usage.submit(**CALL)
        client.with_options(max_retries=0).usage.submit(**CALL)
    assert [asked.path for asked in fake.asked].count("/api/v1/auth/whoami") == 1
    assert {record["organization_id"] for record in fake.records.values()} == {"org-fake"}


def test_the_server_is_told_who_calls(client: CostOpsClient, fake: FakeLedger) -> None:
    client.with_options(headers={"X-Team": "search"}).health.check()
    [asked] = fake.asked
    assert asked.headers["user-agent"].startswith("llm-cost-ops-python/")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["x-team"] == "search"


def test_the_key_is_shown_nowhere(client: CostOpsClient, fake: FakeLedger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.script = [Reply(500, b"")]
    client.usage.submit(**CALL)
    fake.always = Reply(429, b"")
    with pytest.raises(RateLimitError) as refused:
        client.usage.get_history()
    fake.always = Reply(200, b"", breaks=0)
    with CostOpsClient(KEY, "http://127.0.0.1:9", max_retries=0) as lost, pytest.raises(ConnectionError) as caught:
        lost.health.check()
    shown = [
        caplog.text,
        repr(client),
        repr(client.settings),
        repr(client.usage),
        str(caught.value),
        str(refused.value),
    ]
    assert "0123456789" not in "".join(shown)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(client: CostOpsClient, fake: FakeLedger) -> None:
    client.usage.submit(**CALL)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.usage.submit(**CALL)
            client.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    client.usage.submit(**CALL)
    paths = [(asked.path, asked.connection) for asked in fake.asked if asked.path.endswith("/usage")]
    (_, before), (_, in_child), (_, after) = paths
    assert before == after != in_child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_child_forked_while_a_lock_was_held_does_not_wait_for_it(client: CostOpsClient) -> None:
    client.usage.submit(**CALL)
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with client.transport._lock:
            held.set()
            let_go.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.usage.submit(**CALL)
            code = 0
        finally:
            os._exit(code)
    let_go.set()
    thread.join(30)
    assert os.waitpid(child, 0)[1] == 0


def test_many_threads_share_a_client(client: CostOpsClient, fake: FakeLedger) -> None:
    threads = [threading.Thread(target=lambda: [client.usage.submit(**CALL) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(fake.records) == 80


def test_each_event_loop_has_connections_of_its_own_that_end_with_it(fake: FakeLedger) -> None:
    client = CostOpsClient(KEY, fake.url, "org-fake")
    other = AsyncCostOpsClient(KEY, fake.url, "org-fake")

    async def four() -> None:
        for _ in range(2):
            await client.usage.submit_async(**CALL)
            await other.usage.submit(**CALL)

    for _ in range(3):
        asyncio.run(four())
    gc.collect()
    assert len(fake.records) == 12
    assert len(connections(fake)) == 6
    client.close()


def test_two_loops_at_once_do_not_mix_their_connections(fake: FakeLedger) -> None:
    client = CostOpsClient(KEY, fake.url, "org-fake")

    async def many() -> None:
        await asyncio.gather(*(client.usage.submit_async(**CALL) for _ in range(20)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    client.close()
    assert len(fake.records) == 60


def test_a_call_that_is_cancelled_leaves_nothing_behind(fake: FakeLedger) -> None:
    fake.script = [Reply(silent=True)]

    async def main() -> int:
        async with AsyncCostOpsClient(KEY, fake.url, "org-fake") as client:
            task = asyncio.ensure_future(client.usage.submit(**CALL))
            while not fake.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            fake.go_on.set()
            await client.usage.submit(**CALL)
            return len(fake.records)

    assert asyncio.run(main()) == 1


def test_a_client_that_nobody_closes_leaves_no_socket_open(fake: FakeLedger) -> None:
    client = CostOpsClient(KEY, fake.url, "org-fake")
    client.usage.submit(**CALL)
    with client.usage.stream() as stream:
        assert stream is not None
    del client, stream
    gc.collect()
    assert len(fake.records) == 1
    assert sys.exc_info() == (None, None, None)
