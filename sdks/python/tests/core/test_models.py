"""Answers as objects: exact, typed, and open to what newer servers add."""

from __future__ import annotations

import copy
import importlib
import inspect
import pkgutil
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_cost_ops import models
from llm_cost_ops._answers import decoded
from llm_cost_ops._requests import encoded, query
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.models.base import Model, moment, one
from llm_cost_ops.models.notifications import Webhook
from llm_cost_ops.models.usage import Cost, Submitted, UsageRecord

ANSWER = b"""{"data": {"usage_id": "u", "organization_id": "o", "status": "computed", "currency": "USD",
 "cost": {"total_cost": 0.0000000001, "input_cost": 0, "output_cost": "1.10", "cache_cost": 0, "other_cost": 0, "carbon": 0.5},
 "processed_at": "2026-11-22T05:55:43.783426Z", "new": {"deep": [1, 2.5]}}, "usage_id": "u", "estimated_cost": 0.0000000001}"""


def test_amounts_are_exact_and_times_are_aware() -> None:
    done = one(Submitted)(decoded(ANSWER))
    assert done.cost.total_cost == done.estimated_cost == Decimal("0.0000000001")
    assert [type(value) for value in (done.cost.input_cost, done.cost.output_cost)] == [Decimal, Decimal]
    assert done.processed_at == datetime(2026, 11, 22, 5, 55, 43, 783426, tzinfo=timezone.utc)


def test_what_a_newer_server_adds_is_reachable() -> None:
    done = one(Submitted)(decoded(ANSWER))
    assert done.new == {"deep": [1, Decimal("2.5")]}
    assert done.cost["carbon"] == done.cost.carbon == Decimal("0.5")
    assert done.to_dict()["cost"]["carbon"] == Decimal("0.5")
    assert "new" in done
    assert done.get("newer") is None


def test_what_is_unknown_is_none_and_never_zero() -> None:
    record = UsageRecord({"usage_id": "u", "cost": None})
    assert (record.cost, record.team_id) == (None, None)
    with pytest.raises(AttributeError, match="the server's answer, a UsageRecord, has no 'input_tokens'"):
        record.input_tokens  # noqa: B018


def test_a_binary_float_never_becomes_an_amount() -> None:
    with pytest.raises(TypeError, match="not an exact number"):
        Cost({"total_cost": 0.1})


def test_secrets_are_not_in_the_representation() -> None:
    hook = Webhook({"webhook_id": "wh_1", "secret": "whsec_abc"})
    assert "whsec_abc" not in repr(hook)
    assert hook.secret == "whsec_abc"


def test_models_are_compared_copied_and_hashed_by_what_they_say() -> None:
    first, second = one(Submitted)(decoded(ANSWER)), one(Submitted)(decoded(ANSWER))
    assert first == second == copy.deepcopy(first)
    assert len({first, second}) == 1
    assert first != Submitted({"usage_id": "other"})


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T05:55:43Z", "2026-11-22T05:55:43.402Z", "2026-11-22T07:55:43.4+02:00", "2026-11-22t05:55:43.1234567z"],
)
def test_times_of_every_form_are_read(text: str) -> None:
    assert moment(text).replace(microsecond=0) == datetime(2026, 11, 22, 5, 55, 43, tzinfo=timezone.utc)


@given(st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-5, minutes=-30))])))
def test_a_time_that_is_sent_is_the_one_that_is_read(value: datetime) -> None:
    assert moment(decoded(encoded({"at": value}))["at"]) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**12), max_value=10**12))
def test_an_amount_that_is_sent_is_the_one_that_is_read(value: Decimal) -> None:
    text = decoded(encoded({"amount": value}))["amount"]
    assert "E" not in text.upper()
    assert Decimal(text) == value


def test_parameters_are_repeated_left_out_and_named_by_tag() -> None:
    asked = {"provider": ["a", "b"], "page": None, "tags": {"env": "x y"}, "current": True, "amount": Decimal("1E-7")}
    assert query(asked) == "provider=a&provider=b&tag.env=x+y&current=true&amount=0.0000001"


def test_a_day_is_refused_where_a_time_is_needed() -> None:
    with pytest.raises(SettingsError, match=r"start_date .*2026-03-01 is a day"):
        query({"start_date": datetime(2026, 3, 1, tzinfo=timezone.utc).date()})


def test_every_model_s_types_are_understood_on_this_python() -> None:
    found = []
    for info in pkgutil.iter_modules(models.__path__):
        module = importlib.import_module(f"{models.__name__}.{info.name}")
        kinds = [
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if issubclass(kind, Model) and kind is not Model
        ]
        found += [kind for kind in kinds if kind._known()]
    assert len({kind.__name__ for kind in found}) > 40
