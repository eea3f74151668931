"""Background jobs for people: on the database, and through a server that does them itself."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cost_ops.bootstrap import open_application
from cost_ops.domain.jobs import KINDS, NewJob
from cost_ops.interfaces.clock import system_clock
from cost_ops.settings import load_settings
from tests.cli.conftest import Shell
from tests.cli.test_remote import free_port, made_key, wait_until_ready
from tests.cli.test_start_up import SOURCE


def kinds_of(jobs: list[dict[str, Any]]) -> set[str]:
    return {job["kind"] for job in jobs}


def test_a_worker_does_what_is_due_once(any_shell: Shell) -> None:
    assert any_shell.json("jobs", "list") == []
    assert "No jobs found." in any_shell("jobs", "list").stdout
    any_shell("worker", "--once")
    found = any_shell.json("jobs", "list", "--limit", "100")
    assert {"partitions.make", "prices.sync", "rollups.verify"} <= kinds_of(found)
    assert {job["status"] for job in found} == {"done"}, found
    first = {job["slot"] for job in found}
    any_shell("worker", "--once")
    nightly = {slot for slot in first if slot.split("@")[0] in ("partitions.make", "prices.sync", "rollups.verify")}
    assert nightly <= {job["slot"] for job in any_shell.json("jobs", "list", "--limit", "100")}


def test_a_job_is_asked_for_and_waits_for_a_worker(any_shell: Shell) -> None:
    any_shell("worker", "--once")
    asked = any_shell("jobs", "run", "rollups.verify", "--output", "json")
    job = json.loads(asked.stdout)
    assert job["status"] == "queued"
    assert f"jobs show {job['job_id']}" in asked.stderr
    assert any_shell.json("jobs", "run", "rollups.verify")["job_id"] == job["job_id"]
    listed = any_shell.json("jobs", "list", "--status", "queued")
    assert [j["job_id"] for j in listed] == [job["job_id"]]
    any_shell("worker", "--once")
    done = any_shell.json("jobs", "show", job["job_id"])
    assert (done["status"], done["result"]["organizations"]) == ("done", 1)
    events = any_shell.json("audit", "list", "--action", "jobs.requested")
    assert [event["resource"] for event in events] == [job["job_id"]]


def test_a_job_can_be_done_here_and_now(any_shell: Shell) -> None:
    job = any_shell.json("jobs", "run", "partitions.make", "--now")
    assert job["status"] == "done"
    assert isinstance(job["result"]["made"], list)


def failing(shell: Shell, **fields: Any) -> str:
    """A job that nothing can do."""
    application = open_application(load_settings(flags=fields.pop("flags", {})))
    now = system_clock()
    with application.storage.installation() as installation:
        installation.jobs.enqueue(NewJob("of.another.version", now, max_attempts=1, **fields), now)
    application.close()
    shell("worker", "--once")
    [job] = shell.json("jobs", "list", "--kind", "of.another.version")
    return str(job["job_id"])


def test_a_dead_job_is_told_and_retried(any_shell: Shell) -> None:
    job_id = failing(any_shell)
    table = any_shell("jobs", "list", "--status", "dead").stdout
    assert job_id in table
    assert "attempt 1" in table
    checks = {check["name"]: check for check in any_shell.json("doctor")}
    assert (checks["jobs"]["level"], checks["jobs"]["found"]) == ("warn", "1 failed for good")
    assert "jobs retry" in checks["jobs"]["advice"]
    again = any_shell.json("jobs", "retry", job_id)
    assert (again["status"], again["attempts"]) == ("queued", 0)
    [event] = any_shell.json("audit", "list", "--action", "jobs.retried")
    assert event["detail"]["before"]["status"] == "dead"
    assert event["detail"]["after"]["status"] == "queued"


def test_what_cannot_be_retried_or_run_is_refused(shell: Shell) -> None:
    assert "No job" in shell("jobs", "retry", "job_none", code=1).stderr
    done = shell.json("jobs", "run", "jobs.prune", "--now")
    refused = shell("jobs", "retry", done["job_id"], code=1).stderr
    assert "only one that is dead or waits" in refused
    assert "kind must be one of partitions.make" in shell("jobs", "run", "dance", code=2).stderr


def test_the_doctor_sees_jobs_that_nobody_does(shell: Shell) -> None:
    application = open_application(load_settings())
    with application.storage.installation() as installation:
        then = system_clock().replace(year=2025)
        installation.jobs.enqueue(NewJob("prices.sync", then), then)
    application.close()
    checks = {check["name"]: check for check in shell.json("doctor")}
    assert checks["jobs"]["level"] == "warn"
    assert "the oldest for" in checks["jobs"]["found"]
    assert "cost-ops worker" in checks["jobs"]["advice"]


def test_schedules_say_when_each_kind_comes_next(shell: Shell) -> None:
    shell("worker", "--once")
    found = {kind["kind"]: kind for kind in shell.json("jobs", "schedules")}
    assert list(found) == [kind.name for kind in KINDS]
    assert found["retention.apply"]["next"][8:] == "02T04:15:00Z"
    assert found["rollups.verify"]["last_status"] == "done"
    lines = shell("jobs", "schedules").stdout.splitlines()
    assert max(map(len, lines)) <= 80


def test_a_worker_ends_on_sigterm_and_exits_with_0(shell: Shell) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(shell.folder), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "cost_ops.cli.main", "worker", "--threads", "1"]
    with (shell.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=shell.folder, env=environment, stderr=log)
    try:
        until(lambda: any(j["kind"] == "jobs.prune" and j["status"] == "done" for j in listed(shell)), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    log_text = (shell.folder / "log").read_text()
    assert "background jobs begin" in log_text
    assert "background jobs end" in log_text
    assert "Traceback" not in log_text


def listed(shell: Shell, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shell.json("jobs", "list", "--limit", "100", *more)
    return found


def until(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)


@pytest.mark.parametrize("in_server", [True, False])
def test_a_server_does_the_jobs_unless_it_is_told_not_to(shell: Shell, in_server: bool) -> None:
    admin = made_key("sqlite:cost-ops.db", "--kind", "admin")
    url = f"http://127.0.0.1:{(port := free_port())}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(shell.folder),
        "PYTHONPATH": str(SOURCE),
        "COST_OPS_JOBS_IN_SERVER": str(in_server).lower(),
    }
    command = [sys.executable, "-m", "cost_ops.cli.main", "server", "--port", str(port)]
    with (shell.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=shell.folder, env=environment, stdout=log, stderr=log)
    remote = ("--api-url", url, "--api-key", admin)
    try:
        wait_until_ready(url, process)
        job = shell.json("jobs", "run", "prices.sync", *remote)
        if in_server:
            until(lambda: shell.json("jobs", "show", job["job_id"], *remote)["status"] == "done", process)
            assert "skipped" in shell.json("jobs", "show", job["job_id"], *remote)["result"]
            until(lambda: b'cost_ops_jobs_total{kind="prices.sync",outcome="done"} ' in metrics(url), process)
            assert "409" not in shell("jobs", "retry", job["job_id"], *remote, code=4).stderr.splitlines()[0]
        else:
            assert b"cost_ops_jobs_total" not in metrics(url)
            assert [j["kind"] for j in listed(shell, *remote)] == ["prices.sync"]
            assert shell.json("jobs", "retry", job["job_id"], *remote)["status"] == "queued"
        assert len(shell.json("jobs", "schedules", *remote)) == len(KINDS)
        assert "needs the database" in shell("jobs", "run", "prices.sync", "--now", *remote, code=1).stderr
        assert "database only" in shell("worker", *remote, code=2).stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in Path(shell.folder / "log").read_text()


def metrics(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        return bytes(answer.read())
