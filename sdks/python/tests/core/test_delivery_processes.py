"""Processes that are killed, forked and ended in the middle of something: every call they tracked counts once."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import pytest

from fakes.ledger import FakeLedger, refusal
from fakes.processes import killed, ran, started, wait_until
from llm_cost_ops import CostOpsClient

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

TRACK_FOR_EVER = """
client = CostOpsClient(organization_id="org-fake", delivery=DeliverySettings(segment_bytes=16384))
for number in range(10**9):
    client.track(**call(number))
    print(number, flush=True)
"""


def calls(fake: FakeLedger, name: str) -> set[int]:
    """The numbers of a program's calls that are in the ledger."""
    return {int(key.rpartition("-")[2]) for key in list(fake.records) if key.startswith(f"{name}-")}


def sweep(fake: FakeLedger) -> CostOpsClient:
    """A client that takes over what others left."""
    client = CostOpsClient("sk_live_fake_0123456789", fake.url, "org-fake")
    client.track(provider="openai", model_id="sweep", idempotency_key="sweep")
    return client


def test_what_track_has_returned_for_survives_a_kill(fake: FakeLedger) -> None:
    fake.always = refusal(503)
    last: dict[str, int] = {}
    for turn in range(4):
        process = started(TRACK_FOR_EVER, f"p{turn}", COST_OPS_API_URL=fake.url)
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):
                last[f"p{turn}"] = int(line)
            if int(line) == 300 * (turn + 1):
                process.send_signal(signal.SIGKILL)
        killed(process)
    fake.always = None
    with sweep(fake) as client:
        wait_until(lambda: all(set(range(n + 1)) <= calls(fake, p) for p, n in last.items()), "all of them are there")
        assert client.flush(30)
    for name, number in last.items():
        assert calls(fake, name) <= set(range(number + 2)), "nothing was invented"


def test_a_kill_between_the_ledgers_answer_and_its_note_counts_nothing_twice(fake: FakeLedger) -> None:
    process = started(TRACK_FOR_EVER, "p", COST_OPS_API_URL=fake.url)
    wait_until(lambda: len(fake.records) > 500, "some are delivered")
    killed(process)
    with sweep(fake) as client:
        wait_until(
            lambda: "sweep" in fake.records and not list(client.delivery.folder.glob(f"{process.pid}-*")),
            "all is taken over",
        )
    found = calls(fake, "p")
    assert found == set(range(max(found) + 1))


def test_processes_share_a_spool(fake: FakeLedger) -> None:
    program = """
    client = CostOpsClient(organization_id="org-fake", delivery=DeliverySettings(segment_bytes=16384))
    for number in range(1000):
        client.track(**call(number))
    """
    processes = [started(program, f"p{number}", COST_OPS_API_URL=fake.url) for number in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    for number in range(3):
        assert calls(fake, f"p{number}") == set(range(1000))


def test_a_script_that_just_ends_delivers_what_it_tracked(fake: FakeLedger) -> None:
    program = """
    client = CostOpsClient(organization_id="org-fake")
    for number in range(100):
        client.track(**call(number))
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert calls(fake, "p") == set(range(100))


def test_a_script_that_ends_with_an_exception_does_too(fake: FakeLedger) -> None:
    program = """
    client = CostOpsClient(organization_id="org-fake")
    client.track(**call(0))
    raise SystemExit("over")
    """
    process = started(program, "p", COST_OPS_API_URL=fake.url)
    process.communicate(timeout=60)
    assert (process.returncode, calls(fake, "p")) == (1, {0})


def test_the_end_waits_no_longer_than_it_is_told(fake: FakeLedger) -> None:
    fake.always = refusal(503, Retry_After="200")
    program = """
    client = CostOpsClient(organization_id="org-fake", delivery=DeliverySettings(exit_seconds=0.3))
    client.track(**call(0))
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert calls(fake, "p") == set()
    fake.always = None
    with sweep(fake):
        wait_until(lambda: calls(fake, "p") == {0}, "the next one sends it")


@pytest.mark.parametrize("order", ["before", "after"])
def test_calls_tracked_while_the_interpreter_ends_are_not_lost(fake: FakeLedger, order: str) -> None:
    program = """
    import atexit
    client = CostOpsClient(organization_id="org-fake")
    if sys.argv[1] == "after":
        client.track(**call(0))
    atexit.register(lambda: client.track(**call(1)))
    threading.Thread(target=lambda: (time.sleep(0.1), client.track(**call(2)))).start()
    """
    ran(program, order, COST_OPS_API_URL=fake.url)
    with sweep(fake):
        wait_until(lambda: {1, 2} <= calls(fake, order), "all of them are there")


def test_a_thread_that_cannot_be_started_any_more_is_done_without(fake: FakeLedger) -> None:
    program = """
    def no(self):
        raise RuntimeError("can't start new thread at interpreter shutdown")
    threading.Thread.start = no
    client = CostOpsClient(organization_id="org-fake")
    client.track(**call(0))
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert calls(fake, "p") == {0}


def test_forks_in_the_middle_of_tracking_lose_and_double_nothing(fake: FakeLedger) -> None:
    program = """
    client = CostOpsClient(organization_id="org-fake", delivery=DeliverySettings(segment_bytes=16384))
    client.track(**call(0))
    stop = threading.Event()
    def beside():
        number = 10_000
        while not stop.is_set():
            client.track(**call(number))
            number += 1
            time.sleep(0.0005)
        print("beside", number)
    thread = threading.Thread(target=beside)
    thread.start()
    children = []
    for child in range(5):
        pid = os.fork()
        if pid == 0:
            for number in range(100):
                client.track(**call(100_000 * (child + 1) + number))
            assert client.flush(30), client.delivery.counters
            assert client.delivery.counters.tracked == 100
            os._exit(0)
        children.append(pid)
        client.track(**call(child + 1))
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 5
    stop.set()
    thread.join()
    assert client.flush(30)
    """
    said = ran(program, "p", COST_OPS_API_URL=fake.url)
    beside = int(said.split()[1])
    children = {100_000 * child + number for child in range(1, 6) for number in range(100)}
    assert calls(fake, "p") == {*range(6), *range(10_000, beside), *children}


def test_keys_of_parent_and_child_differ(fake: FakeLedger) -> None:
    program = """
    client = CostOpsClient(organization_id="org-fake")
    nameless = {key: value for key, value in call(0).items() if key != "idempotency_key"}
    for turn in range(3):
        client.track(**nameless)
    if os.fork() == 0:
        client.track(**nameless)
        assert client.flush(30)
        os._exit(0)
    client.track(**nameless)
    os.wait()
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert len(fake.records) == 5


def test_a_child_forked_while_another_thread_makes_the_tracker_waits_for_nobody(fake: FakeLedger) -> None:
    program = """
    from llm_cost_ops import client as of_clients
    client = CostOpsClient(organization_id="org-fake")
    held, over = threading.Event(), threading.Event()
    def hold():
        with client._lock, of_clients._DEFAULT_LOCK:
            held.set()
            over.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        client.track(**call(0))
        of_clients.default_client().track(**call(1))
        sent = client.flush(10) and of_clients.default_client().flush(10)
        os._exit(0 if sent else 1)
    said = os.waitpid(pid, 0)[1]
    over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(said) == 0, said
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert calls(fake, "p") == {0, 1}


def test_a_closed_client_says_nothing_more_when_the_process_ends(fake: FakeLedger) -> None:
    program = """
    import atexit
    from llm_cost_ops.delivery import exits
    with CostOpsClient(organization_id="org-fake", delivery=DeliverySettings(exit_seconds=0.2)) as client:
        client.track(**call(0))
    client.track(**call(1))
    assert client.flush(1) is False
    atexit.unregister(exits._end_all)
    exits._end_all()
    """
    ran(program, "p", COST_OPS_API_URL="http://127.0.0.1:9")
    assert calls(fake, "p") == set()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_at_their_end(fake: FakeLedger, tmp_path: Any, method: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import multiprocessing, sys
from llm_cost_ops import CostOpsClient

client = CostOpsClient(organization_id="org-fake")

def work(number):
    client.track(provider="openai", model_id="m", input_tokens=1, idempotency_key=f"p-{number}")

if __name__ == "__main__":
    client.track(provider="openai", model_id="m", input_tokens=1, idempotency_key="p-0")
    method = multiprocessing.get_context(sys.argv[1])
    children = [method.Process(target=work, args=(number,)) for number in range(1, 4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
"""
    )
    ran(
        "import runpy; sys.argv[:] = [sys.argv[0], os.environ['METHOD']]; "
        "import subprocess; sys.exit(subprocess.call([sys.executable, '-W', 'ignore', os.environ['SCRIPT'], sys.argv[1]]))",
        COST_OPS_API_URL=fake.url,
        METHOD=method,
        SCRIPT=script,
    )
    assert calls(fake, "p") == {0, 1, 2, 3}


def test_a_signals_handler_that_tracks_finds_no_lock_in_its_way(fake: FakeLedger) -> None:
    program = """
    client = CostOpsClient(organization_id="org-fake", delivery=DeliverySettings(segment_bytes=32768))
    import itertools
    numbers = itertools.count(100_000)  # a handler may be interrupted by the next
    def handle(*about):
        client.track(**call(next(numbers)))
    client.track(**call(0))
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.01)
    for number in range(1, 10_000):
        client.track(**call(number))
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert client.flush(50), client.delivery.counters
    print(next(numbers) - 100_000)
    """
    handled = int(ran(program, "p", COST_OPS_API_URL=fake.url))
    assert calls(fake, "p") == {*range(10_000), *range(100_000, 100_000 + handled)}


def test_a_disk_without_room_is_done_without(fake: FakeLedger) -> None:
    program = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768))
    client = CostOpsClient(organization_id="org-fake")
    for number in range(100):
        client.track(**call(number))
    assert client.flush(30)
    assert client.delivery.counters.dropped == 0
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert calls(fake, "p") == set(range(100))


def test_asyncio_loops_that_end_take_nothing_along(fake: FakeLedger) -> None:
    program = """
    import asyncio
    client = CostOpsClient(organization_id="org-fake")
    async def work(number):
        client.track(**call(number))
    for number in range(3):
        asyncio.run(work(number))
    """
    ran(program, "p", COST_OPS_API_URL=fake.url)
    assert calls(fake, "p") == {0, 1, 2}
    assert sys.version_info >= (3, 9)
