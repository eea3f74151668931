"""The ledger inside another program: its own key alone, kept nowhere; the file made ready once; closed again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cost_ops.api.embedded import EmbeddedLedger, open_ledger
from cost_ops.domain.errors import CostOpsError, InvalidInput

KEY = "sk_live_0a1b2c3d_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
CALL = {
    "organization_id": "local",
    "provider": "openai",
    "model_id": "gpt-4o",
    "input_tokens": 1000,
    "output_tokens": 100,
}


async def _asked(ledger: EmbeddedLedger, *requests: tuple[str, str, Any], key: str) -> list[tuple[int, Any]]:
    """Run the application for so long as it answers these requests."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    app: Any = ledger.app
    life = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, told.get, heard.put))
    await told.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    found = []
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://local") as client:
        for method, path, body in requests:
            answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
            found.append((answer.status_code, json.loads(answer.text)))
    await told.put({"type": "lifespan.shutdown"})
    await life
    return found


def _ask(path: Path, *requests: tuple[str, str, Any], key: str = KEY) -> list[tuple[int, Any]]:
    ledger = open_ledger(str(path), "local", KEY)
    try:
        return asyncio.run(_asked(ledger, *requests, key=key))
    finally:
        ledger.close()


def test_whoever_holds_the_file_may_everything_in_the_organisation_that_was_named(tmp_path: Path) -> None:
    sent, costs, who, other = _ask(
        tmp_path / "a.db",
        ("POST", "/api/v1/usage", CALL),
        ("GET", "/api/v1/costs", None),
        ("GET", "/api/v1/auth/whoami", None),
        ("GET", "/api/v1/costs?organization_id=another", None),
    )
    assert (sent[0], sent[1]["estimated_cost"]) == (201, 0.0035)
    assert (costs[1]["data"]["organization_id"], costs[1]["data"]["requests"]) == ("local", 1)
    assert (who[1]["data"]["organization_id"], who[1]["data"]["key_id"]) == ("local", None)
    assert other[0] == 404


def test_its_key_is_the_only_one_and_is_kept_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    [(status, _)] = _ask(path, ("GET", "/api/v1/costs", None), key=KEY[:-1] + "x")
    assert status == 401
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)
    connection.close()
    assert KEY.encode()[8:] not in path.read_bytes()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    _ask(path)
    before = path.read_bytes()
    _ask(path)
    assert path.read_bytes() == before


def test_opened_by_several_at_once_it_is_made_ready_once(tmp_path: Path) -> None:
    def opened(_: int) -> int:
        [(status, _body)] = _ask(tmp_path / "a.db", ("POST", "/api/v1/usage", CALL))
        return status

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(opened, range(4))) == [201] * 4


@pytest.mark.parametrize("path", ["", ":memory:", "a?mode=ro", "nowhere/a.db"])
def test_a_path_that_cannot_be_a_file_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=r"file|folder"):
        open_ledger(path, "local", KEY)
    assert list(tmp_path.iterdir()) == []


def test_an_organisation_that_cannot_be_is_refused_and_the_file_let_go_of(tmp_path: Path) -> None:
    with pytest.raises(CostOpsError, match="organization_id"):
        open_ledger(str(tmp_path / "a.db"), "not an id", KEY)


def test_programs_find_it_by_its_entry_point() -> None:
    [entry] = entry_points(group="llm_cost_ops.local")
    assert entry.load() is open_ledger
