"""Background jobs over HTTP: the installation's owner's alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cost_ops.domain.jobs import KINDS, JobStatus, NewJob
from tests.api.running import ORGANIZATION, Server, migrated, ready_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with ready_server(migrated(tmp_path)) as running:
        yield running


def add(server: Server, kind: str, **fields: object) -> None:
    now = server.application.clock()
    with server.application.storage.installation() as installation:
        assert installation.jobs.enqueue(NewJob(kind, now, **fields), now)  # type: ignore[arg-type]


def test_jobs_are_listed_by_page_status_and_kind(server: Server) -> None:
    for number in range(3):
        add(server, "prices.sync", payload={"number": number})
    add(server, "jobs.prune")
    page = server.get("jobs?kind=prices.sync&page_size=2", key="admin").body
    assert (len(page["data"]), page["pagination"]["total_items"], page["pagination"]["has_next"]) == (2, 3, True)
    assert server.get("jobs?status=dead", key="admin").body["data"] == []
    assert {job["status"] for job in server.get("jobs?status=queued", key="admin").body["data"]} == {"queued"}


def test_a_job_is_requested_shown_and_retried(server: Server) -> None:
    asked = server.post("jobs/run", {"kind": "prices.sync"}, key="admin")
    assert asked.status == 202
    job = asked.body["data"]
    assert (job["kind"], job["status"], job["attempts"]) == ("prices.sync", "queued", 0)
    assert server.post("jobs/run", {"kind": "prices.sync"}, key="admin").body["data"]["job_id"] == job["job_id"]
    assert server.get(f"jobs/{job['job_id']}", key="admin").body["data"] == job
    assert server.post(f"jobs/{job['job_id']}/retry", None, key="admin").status == 200
    now = server.application.clock()
    with server.application.storage.installation() as installation:
        [taken] = installation.jobs.claim("w", now, limit=1, lease=now - now)
        installation.jobs.finish(taken, {"added": 1}, now)
    done = server.get(f"jobs/{job['job_id']}", key="admin").body["data"]
    assert (done["status"], done["result"]) == (str(JobStatus.DONE), {"added": 1})
    refused = server.post(f"jobs/{job['job_id']}/retry", None, key="admin")
    assert (refused.status, refused.error["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize("key", ["org", None])
def test_nobody_else_sees_or_starts_jobs(server: Server, key: str | None) -> None:
    add(server, "prices.sync", organization_id=ORGANIZATION)
    status = 401 if key is None else 403
    assert server.get("jobs", key=key).status == status
    assert server.get("jobs/job_x", key=key).status == status
    assert server.post("jobs/run", {"kind": "prices.sync"}, key=key).status == status
    assert server.post("jobs/job_x/retry", None, key=key).status == status


def test_bad_input_is_told(server: Server) -> None:
    unknown = server.post("jobs/run", {"kind": "dance", "when": "now"}, key="admin")
    assert (unknown.status, unknown.reasons) == (400, {("kind", "unknown_kind"), ("when", "unknown_field")})
    assert all(kind.name in unknown.text for kind in KINDS)
    missing = server.post("jobs/run", {}, key="admin")
    assert (missing.status, missing.reasons) == (400, {("kind", "missing_required_field")})
    assert server.get("jobs?status=asleep", key="admin").status == 400
    assert server.get("jobs?kind=dance", key="admin").status == 400
    assert server.get("jobs/nothing", key="admin").status == 404
    assert server.post("jobs/nothing/retry", None, key="admin").status == 404
