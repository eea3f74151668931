"""What every test of the SDK may ask for: a real ledger, the fake providers, and no way out of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.api.running import Server
from tests.providers.conftest import only_loopback, providers  # noqa: F401  (fixtures: asked for by naming them)

from ledgers import Ledger, new_organization, running_ledger
from llm_cost_ops import uninstrument


@pytest.fixture(scope="session")
def ledger_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the catalogue's prices, which a worker's tests share."""
    with running_ledger(tmp_path_factory.mktemp("ledger"), jobs__in_server=False) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_is_tracked_but_by_this_test() -> Iterator[None]:
    """Whatever a test instruments is as it was when the next one begins."""
    uninstrument()
    yield
    uninstrument()


@pytest.fixture
def ledger(ledger_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Ledger:
    """An organisation that this test has to itself; the environment names no other, and the spool is in the test's folder."""
    for name in ("COST_OPS_API_KEY", "COST_OPS_API_URL", "COST_OPS_ORGANIZATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COST_OPS_SPOOL", f"{tmp_path}/spool")
    return new_organization(ledger_server)
