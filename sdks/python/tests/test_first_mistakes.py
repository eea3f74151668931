"""What somebody new gets wrong is answered by what to do instead, and by no traceback out of our insides."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from openai import OpenAI

from ledgers import Ledger
from llm_cost_ops import CostOpsClient, cost_context, instrument, spend_limit, uninstrument, wrap
from llm_cost_ops.exceptions import SettingsError

ANY: Any = None


@pytest.fixture
def client(ledger: Ledger) -> Iterator[CostOpsClient]:
    with ledger.client() as opened:
        yield opened
    uninstrument()


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "a package misspelled": (lambda _: instrument(only=["opneai"]), "'opneai' is not known to instrument(): openai?"),
    "a key in place of a client": (lambda _: instrument("sk_live_x"), "instrument() takes a CostOpsClient, got a str"),
    "wrap without a client": (lambda _: wrap(None), "wrap() takes a client of openai, anthropic, "),
    "wrap a class": (lambda c: wrap(OpenAI, c), "wrap() takes a client, not its class: OpenAI(…)"),
    "a key that is no text": (lambda _: CostOpsClient(5), "api_key must be a text, got int"),  # type: ignore[arg-type]
    "a URL that is no text": (
        lambda _: CostOpsClient("k", 5),  # type: ignore[arg-type]
        "base_url must be a text, got int",
    ),
    "a timeout as text": (
        lambda _: CostOpsClient("k", timeout="3"),  # type: ignore[arg-type]
        "timeout must be a number of seconds above 0, got '3'",
    ),
    "delivery as a mapping": (
        lambda _: CostOpsClient("k", delivery={"spool": False}),  # type: ignore[arg-type]
        "delivery=DeliverySettings(",
    ),
    "a batch of one mapping": (
        lambda c: c.usage.submit_batch({"provider": "openai"}),
        "submit_batch takes a list of records, each a mapping of its fields",
    ),
    "a naive datetime": (
        lambda c: c.usage.submit(provider="openai", model_id="m", timestamp=dt.datetime(2026, 1, 1)),  # noqa: DTZ001
        "timestamp cannot be sent: 2026-01-01T00:00:00 has no time zone: say which",
    ),
    "a date": (
        lambda c: c.usage.submit(provider="openai", model_id="m", timestamp=dt.date(2026, 1, 1)),
        "timestamp cannot be sent: 2026-01-01 is a day, and a time is needed",
    ),
    "an estimate of a float": (lambda c: c.estimate("gpt-4o", 5.5), "got 5.5"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_first_mistake_is_told_with_what_to_do(client: CostOpsClient, mistake: str) -> None:
    make, told = MISTAKES[mistake]
    with pytest.raises(SettingsError, match=re.escape(told)):
        make(client)


@pytest.mark.parametrize("only", ["openai", ["openai"], ("openai",)])
def test_one_name_needs_no_list(client: CostOpsClient, only: Any) -> None:
    assert instrument(client, only=only) == ["openai"]


def test_packages_have_the_names_that_they_are_installed_by(client: CostOpsClient) -> None:
    assert instrument(client, only=["boto3", "google-genai"]) == ["botocore", "google.genai"]


def test_a_currency_may_be_written_small() -> None:
    with spend_limit(amount=2, currency="eur") as spent:
        assert spent.currency == "EUR"


def test_an_id_may_be_a_number(ledger: Ledger, client: CostOpsClient) -> None:
    with cost_context(user=42, project=7):  # type: ignore[arg-type]
        client.track(provider="openai", model_id="gpt-4o", input_tokens=10)
    assert client.flush(30)
    (record,) = ledger.records()
    assert (record["user_id"], record["project_id"], client.delivery.counters.mended) == ("42", "7", 0)


def test_a_ledger_in_a_file_is_called_by_its_file(tmp_path: Path) -> None:
    pytest.importorskip("cost_ops")
    with CostOpsClient.local(tmp_path / "mine.db") as client:
        assert repr(client) == f"<CostOpsClient of local in {tmp_path / 'mine.db'}>"


def test_a_folder_is_no_ledger_and_the_server_is_not_spoken_of(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as told:
        CostOpsClient.local(tmp_path)
    assert str(told.value) == f"{tmp_path} cannot be opened as a ledger: it is a folder, and a file is needed"
