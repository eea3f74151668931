"""JSON that keeps decimals exact."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.exact_json import json_text, parse_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=10),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.sampled_from([0, 2]))
def test_what_is_written_is_read_again_exactly(value: object, indent: int) -> None:
    assert parse_json(json_text(value, indent)) == value


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_without_decimals_it_is_what_json_writes(value: object) -> None:
    assert json_text(value) == json.dumps(value, ensure_ascii=False)
    assert json_text(value, indent=2) == json.dumps(value, ensure_ascii=False, indent=2)


def test_small_amounts_have_no_exponent_and_times_are_rfc_3339() -> None:
    value = {"cost": Decimal("1E-10"), "at": datetime(2025, 1, 2, tzinfo=UTC)}
    assert json_text(value) == '{"cost": 0.0000000001, "at": "2025-01-02T00:00:00Z"}'


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse_json(text)
