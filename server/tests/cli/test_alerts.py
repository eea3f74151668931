"""Alerts from the command line: on both databases and through a server, the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cost_ops.bootstrap import open_application
from cost_ops.domain.access import OWNER
from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.services import alerting
from cost_ops.settings import load_settings
from tests.api.running import ready_server
from tests.cli.conftest import Shell, add_gpt4, usage

_SOON = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT00:00:00Z")


@pytest.fixture
def fired(any_shell: Shell) -> Shell:
    """A ledger with a budget of a tenth of a dollar, half of which is spent: two alerts."""
    add_gpt4(any_shell)
    application = open_application(load_settings())
    ctx = application.context(OWNER)
    document = {"amount": "0.1", "name": "Research", "alert_thresholds": ["0.25", "0.5"], "forecast_alerts": False}
    about: dict[str, Any] = {"budget_id": "budget-1", "by": "owner", "now": ctx.clock(), "names": same_names}
    with ctx.storage.ledger("default") as ledger:
        ledger.budgets.add(read_budget(document, organization_id="default", **about))
    any_shell("ingest", "--file", any_shell.write("usage.json", [usage(project_id=p) for p in ("a", "b")]))
    alerting.evaluate(ctx, "default")
    application.close()
    return any_shell


def test_alerts_are_listed_shown_and_acknowledged(fired: Shell) -> None:
    high, low = fired.json("alerts", "list")
    assert (high["threshold"], high["current_spend"], high["limit"], high["status"]) == ("0.5", "0.05", "0.1", "open")
    assert fired.json("alerts", "list", "--status", "acknowledged") == []
    assert fired.json("alerts", "list", "--since", "2199-01-01") == []
    table = fired("alerts", "list", "--limit", "1").stdout
    assert "Research" in table
    assert "50 %" in table
    assert "1 older alerts; --limit shows more." in table
    assert max(map(len, table.splitlines())) <= 80
    shown = fired("alerts", "show", low["alert_id"]).stdout
    assert "0.05 of 0.10 USD" in shown
    found = fired.json("alerts", "acknowledge", high["alert_id"], "--comment", "seen by Ana")
    assert (found["status"], found["comment"], found["acknowledged_by"]) == ("acknowledged", "seen by Ana", "owner")
    assert "seen by Ana" in fired("alerts", "show", high["alert_id"]).stdout
    assert fired("alerts", "list", "--status", "open").stdout == "There are no such alerts.\n"
    assert "No alert 'nothing'" in fired("alerts", "show", "nothing", code=1).stderr
    assert "No budget 'b'" in fired("alerts", "list", "--budget", "b", code=1).stderr


def test_a_budget_is_silenced_and_unsilenced(fired: Shell) -> None:
    assert "is silent until" in fired("alerts", "silence", "budget-1", "--minutes", "5").stdout
    until = fired.json("alerts", "silence", "budget-1", "--until", _SOON, "--reason", "load test")
    assert until == {"budget_id": "budget-1", "silenced_until": _SOON}
    assert fired.json("alerts", "unsilence", "budget-1")["silenced_until"] is None
    assert "--until or --minutes" in fired("alerts", "silence", "budget-1", code=2).stderr
    assert "must lie ahead" in fired("alerts", "silence", "budget-1", "--until", "2020-01-01", code=2).stderr
    assert "No budget" in fired("alerts", "unsilence", "budget-9", code=1).stderr


def test_the_same_commands_work_through_a_server(fired: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    own = fired.json("alerts", "list")
    with ready_server(load_settings().database.url) as server:
        monkeypatch.setenv("COST_OPS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_API_KEY", server.make_key("default"))
        assert fired.json("alerts", "list") == own
        high, low = own
        assert fired.json("alerts", "list", "--budget", "budget-1", "--limit", "1") == [high]
        assert fired.json("alerts", "show", low["alert_id"]) == low
        assert fired.json("alerts", "acknowledge", high["alert_id"])["status"] == "acknowledged"
        assert fired.json("alerts", "silence", "budget-1", "--until", _SOON)["silenced_until"] == _SOON
        assert fired.json("alerts", "unsilence", "budget-1") == {"budget_id": "budget-1", "silenced_until": None}
        assert "No alert" in fired("alerts", "show", "nothing", code=4).stderr
