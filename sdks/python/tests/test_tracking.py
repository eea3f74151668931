"""One line tracks a call."""

from __future__ import annotations

from ledgers import Ledger
from llm_cost_ops import cost_context


def test_a_tracked_call_stands_in_the_ledger_with_what_it_belongs_to(ledger: Ledger) -> None:
    client = ledger.client()
    with cost_context(project="search", tags={"env": "prod"}), cost_context(user="ana", tags={"team": "x"}):
        client.track(provider="openai", model_id="gpt-4o", input_tokens=1200, output_tokens=300)
    assert client.flush(timeout=30)
    client.close()
    [record] = ledger.records()
    assert (record["project_id"], record["user_id"]) == ("search", "ana")
    assert record["tags"] == {"env": "prod", "team": "x"}
    assert record["status"] == "computed"
