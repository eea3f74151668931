"""A budget as a document: what is written is what is read, and every fault is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.budget_documents import (
    FIELDS,
    MAX_PHASES,
    MAX_THRESHOLDS,
    MAX_VALUES,
    budget_document,
    read_budget,
    same_names,
    stored_document,
)
from cost_ops.domain.budgets import DEFAULT_THRESHOLDS, Budget
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.exact_json import DECODER, json_text
from tests.domain.budget_values import E10, budget
from tests.domain.builders import NOW


def read(document: Any) -> Budget:
    return read_budget(document, organization_id="org-1", budget_id="budget-1", by="owner", now=NOW, names=same_names)


_amounts = st.decimals(min_value="0.0000000001", max_value=100_000_000, places=10)
_texts = st.text("ab ü'\"-._%", min_size=1, max_size=9).filter(str.strip)
_values = st.lists(_texts, min_size=1, max_size=3)
_documents = st.fixed_dictionaries(
    {"amount": _amounts},
    optional={
        "name": _texts,
        "currency": st.sampled_from(["USD", "EUR"]),
        "period": st.sampled_from(["hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "10 days"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
        "scope": st.dictionaries(st.sampled_from(["project", "model", "api_key", "tag:env", "tag:ü"]), _values),
        "alert_thresholds": st.lists(
            st.integers(1, 10_000).map(lambda n: Decimal(n).scaleb(-4)), unique=True, max_size=5
        ).map(sorted),
        "enforcement": st.sampled_from(["soft", "hard"]),
        "parent_id": st.just("budget-7"),
        "rollover": st.sampled_from(["none", "unused", "overspent", "both", {"unused": True, "limit": "2.5"}]),
        "phases": st.just([{"start_date": "2027-01-01T00:00:00Z", "amount": "7"}]),
        "effective_from": st.just("2026-01-01T00:00:00.000001Z"),
        "effective_to": st.just("2027-01-01T00:00:00+02:00"),
        "escalate_after_minutes": st.integers(1, 10_080),
        "forecast_alerts": st.booleans(),
    },
)


@given(_documents)
def test_what_is_stored_is_what_is_read_back(document: dict[str, Any]) -> None:
    one = read(document)
    stored = DECODER.decode(json_text(stored_document(one)))
    assert read(stored) == one
    assert read(budget_document(one)) == one
    assert stored_document(read(stored)) == stored_document(one)


def test_the_printed_document_is_read() -> None:
    one = read(
        {"amount": Decimal("5000.00"), "period": "monthly", "alert_thresholds": [Decimal("0.50"), Decimal("0.75")]}
    )
    assert (one.amount_e10, one.thresholds, one.name) == (
        5000 * E10,
        (Decimal("0.5"), Decimal("0.75")),
        "monthly budget",
    )
    assert budget().thresholds == DEFAULT_THRESHOLDS


def test_a_budget_without_a_name_is_named_after_what_it_is() -> None:
    one = read({"amount": 1, "period": "weekly", "scope": {"project": ["a", "b"], "tag:env": "prod"}})
    assert one.name == "weekly budget of project a/b, tag:env prod"
    assert len(read({"amount": 1, "scope": {"project": ["x" * 200]}}).name) == 120


def test_names_are_written_as_the_ledger_writes_them() -> None:
    one = read_budget(
        {"amount": 1, "scope": {"provider": ["OpenAI", "x"]}},
        organization_id="o",
        budget_id="b",
        by="",
        now=NOW,
        names=lambda dimension, value: f"{dimension}/{value.lower()}",
    )
    assert one.scope.only == (("provider", frozenset({"provider/openai", "provider/x"})),)


@pytest.mark.parametrize("text", ["100000000", "0.0000000001", "0.00000000005000001", "1e3"])
def test_amounts_up_to_the_largest_are_taken(text: str) -> None:
    assert read({"amount": text}).amount_e10 >= 1


@pytest.mark.parametrize(
    ("document", "field", "reason"),
    [
        ({"amount": "100000000.01"}, "amount", "out_of_range"),
        ({"amount": "NaN"}, "amount", "invalid_type"),
        ({"amount": "Infinity"}, "amount", "invalid_type"),
        ({"amount": [5]}, "amount", "invalid_type"),
        ({"amount": "0.00000000004"}, "amount", "out_of_range"),
        ({"amount": 1, "alert_thresholds": ["0.00001"]}, "alert_thresholds[0]", "out_of_range"),
        ({"amount": 1, "alert_thresholds": ["1.0001"]}, "alert_thresholds[0]", "out_of_range"),
        ({"amount": 1, "alert_thresholds": [True]}, "alert_thresholds[0]", "invalid_type"),
        ({"amount": 1, "alert_thresholds": ["0.5"] * (MAX_THRESHOLDS + 1)}, "alert_thresholds", "invalid_type"),
        ({"amount": 1, "scope": {"tag:": "x"}}, "scope.tag:", "unknown_scope"),
        ({"amount": 1, "scope": {"tag:" + "k" * 500: "x"}}, "scope.tag:" + "k" * 56, "unknown_scope"),
        ({"amount": 1, "scope": {"project": [f"{n}" for n in range(MAX_VALUES + 1)]}}, "scope.project", "too_many"),
        ({"amount": 1, "scope": {"project": ["a\x00b"]}}, "scope.project", "invalid_characters"),
        ({"amount": 1, "scope": {"project": {"a": 1}}}, "scope.project", "invalid_type"),
        ({"amount": 1, "rollover": {"unused": 1}}, "rollover.unused", "invalid_type"),
        ({"amount": 1, "rollover": {"half": True}}, "rollover", "invalid_type"),
        ({"amount": 1, "phases": {"start_date": "x"}}, "phases", "invalid_type"),
        ({"amount": 1, "phases": [{"amount": 1}]}, "phases[0].start_date", "missing_required_field"),
        ({"amount": 1, "phases": [{}] * (MAX_PHASES + 1)}, "phases", "invalid_type"),
        ({"amount": 1, "escalate_after_minutes": 10_081}, "escalate_after_minutes", "out_of_range"),
        ({"amount": 1, "escalate_after_minutes": True}, "escalate_after_minutes", "out_of_range"),
        ({"amount": 1, "effective_from": 5}, "effective_from", "invalid_date_format"),
        ({"amount": 1, "effective_from": "9999-12-31T00:00:00Z"}, "effective_from", "out_of_range"),
        ({"amount": 1, "effective_to": "1800-12-31T00:00:00Z"}, "effective_to", "out_of_range"),
        ({"amount": 1, "parent_id": ["x"]}, "parent_id", "invalid_value"),
        ({"amount": 1, "name": "x" * 121}, "name", "too_long"),
        ({"amount": 1, "enforcement": ["hard"]}, "enforcement", "invalid_value"),
        ({"amount": 1, "rollover": ["unused"]}, "rollover", "invalid_type"),
    ],
)
def test_a_fault_is_named_with_its_place(document: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(document)
    assert (field, reason) in {(one.field, one.reason) for one in caught.value.problems}


def test_phases_come_in_order() -> None:
    two = [{"start_date": f"2026-{m}-01T00:00:00Z", "amount": 1} for m in ("05", "04")]
    with pytest.raises(InvalidInput, match="in the order of their start_date"):
        read({"amount": 1, "phases": two})


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), _anything))
def test_whatever_comes_is_read_or_refused_with_its_faults(document: dict[str, Any]) -> None:
    faults: list[str] = []
    amount_e10 = 0
    try:
        amount_e10 = read(document).amount_e10
    except InvalidInput as error:
        faults = [problem.message for problem in error.problems]
    assert all(faults)
    assert (amount_e10 > 0) is not bool(faults)
