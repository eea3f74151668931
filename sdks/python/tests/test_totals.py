"""What a process spent: the ledger's amounts, each call once, and what is not known said to be so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context
from llm_cost_ops.summaries import html_table, text_table
from llm_cost_ops.sums import Place, Spent, Sum

CALL: dict[str, Any] = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}
COST = Decimal("0.0035")


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with ledger.client() as opened:
        yield opened


def test_totals_are_the_ledgers_by_model_and_by_project(ledger: Ledger, client: CostOpsClient) -> None:
    with cost_context(project="search"):
        client.track(**CALL)
        client.track(provider="anthropic", model_id="claude-sonnet-4-5", input_tokens=1000, output_tokens=100)
    client.track(
        provider="openai", model_id="gpt-4o", usage={"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    )
    client.usage.submit(**CALL)
    assert client.flush(30)
    spent = client.totals
    calls, cost = ledger.totals()
    assert (spent.total.calls, spent.total.costs) == (calls, {"USD": cost}) == (4, {"USD": cost})
    assert spent.by_model["openai", "gpt-4o"].input_tokens == 2010
    assert spent.by_project["search"].calls == 2
    assert list(spent.by_project) == ["search", None]


def test_what_was_recorded_before_or_twice_is_not_spent_again(client: CostOpsClient) -> None:
    for _ in range(2):
        client.usage.submit(**CALL, idempotency_key="mine")
        client.track(**CALL, response_id="chatcmpl-0123456789abcdef")
    assert client.flush(30)
    assert client.totals.total.calls == 2


def test_unknown_is_never_nothing(client: CostOpsClient) -> None:
    client.track(**{**CALL, "model_id": "unheard-of"})
    client.track(provider="openai", model_id="gpt-4o", input_tokens=-1)
    client.usage.submit(provider="openai", model_id="gpt-4o", usage={"prompt_tokens": 1, "completion_tokens": 1})
    client.flush(30)
    spent = client.totals
    assert (spent.total.unpriced, spent.rejected, spent.total.input_tokens) == (1, 1, None)
    text = str(spent)
    assert "? 1 call without a known price, in no sum: openai/unheard-of" in text
    assert "! 1 call refused by the ledger, in no sum" in text
    assert [line.split() for line in text.splitlines() if line.startswith("openai/unheard-of")] == [
        ["openai/unheard-of", "1", "1,000", "100", "?"]
    ]
    assert "? tokens that the ledger did not tell" in text


LONG = Spent(
    {
        Place("openai", "gpt-5.6-sol-with-a-name-that-goes-on-and-on-and-does-not-end", "search"): Sum(
            12_345, 123_456_789, 98_765_432, {"USD": Decimal("12345.67"), "EUR": Decimal("0.0000125")}
        ),
        Place("own", "modèle <b>"): Sum(1, None, 3, {}, 1),
    },
    waiting=3,
)


def test_the_table_fits_eighty_columns() -> None:
    lines = text_table(LONG, "spent").splitlines()
    assert max(len(line) for line in lines if not line.startswith("?")) <= 80
    assert any("…" in line for line in lines)
    assert "… 3 calls still waiting to be delivered, in no sum" in lines


def test_the_html_escapes_names_and_says_the_same(client: CostOpsClient) -> None:
    html = html_table(LONG, "this cell")
    assert "modèle &lt;b&gt;" in html
    assert "12,345.67 USD + 0.0000125 EUR" in html
    assert "3 calls still waiting" in html
    assert "<b>" not in html


def shown(*amounts: str) -> list[str]:
    """How the amounts of calls to different models stand in the table, and their total."""
    calls = {Place("openai", f"m{n}"): Sum(1, 1, 1, {"USD": Decimal(one)}) for n, one in enumerate(amounts)}
    rows = [line.split() for line in text_table(Spent(calls), "spent").splitlines()]
    return [row[-2] for row in rows if row[-1] == "USD"]


@pytest.mark.parametrize(
    ("amounts", "table"),
    [
        (["0"], ["0.00", "0.00"]),
        (["0.0000000001"], ["0.0000000001", "0.0000000001"]),
        (["0.0134025", "0.00475"], ["0.0134025", "0.0047500", "0.0181525"]),
        (["1234.5", "0.0004"], ["1,234.5000", "0.0004", "1,234.5004"]),
    ],
)
def test_a_total_has_the_digits_of_its_parts_and_none_is_lost(amounts: list[str], table: list[str]) -> None:
    assert shown(*amounts) == table


SCRIPT = """
import llm_cost_ops
client = llm_cost_ops.default_client()
llm_cost_ops.instrument(only=[], summary=True)
for _ in range(3):
    client.track(provider="openai", model_id="gpt-4o", input_tokens=1000, output_tokens=100)
{more}
"""


def run(ledger: Ledger, tmp_path: Path, more: str = "", url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "COST_OPS_API_KEY": ledger.key,
        "COST_OPS_API_URL": url or ledger.url,
        "COST_OPS_ORGANIZATION": ledger.organization_id,
    }
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT.format(more=more)]
    return subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_script_says_at_its_end_what_it_spent_on_standard_error(ledger: Ledger, tmp_path: Path) -> None:
    done = run(ledger, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[0] == "LLM Cost Ops: what this process spent"
    assert "openai/gpt-4o      3      3,000         300  0.0105 USD" in done.stderr


def test_a_script_that_fails_says_it_too_and_one_that_prints_it_itself_can(ledger: Ledger, tmp_path: Path) -> None:
    done = run(ledger, tmp_path, "llm_cost_ops.summary(); raise SystemExit(3)")
    assert done.returncode == 3
    assert done.stdout == done.stderr
    assert "0.0105 USD" in done.stdout


def test_a_script_whose_ledger_is_away_says_what_waits(ledger: Ledger, tmp_path: Path) -> None:
    done = run(ledger, tmp_path, url="http://127.0.0.1:9")
    assert done.returncode == 0
    assert "no calls were answered for yet" in done.stderr
    assert "… 3 calls still waiting to be delivered, in no sum" in done.stderr
