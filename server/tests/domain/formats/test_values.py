"""Values of other systems become ours without passing through floats, and never raise."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.exact_json import parse_json
from cost_ops.domain.formats.slimming import slim
from cost_ops.domain.formats.values import amount, elapsed_ms, flag, instant, mapping, text, whole, words
from cost_ops.domain.periods import from_us, parse_instant

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (1772442900, "2026-03-02T09:15:00Z"),
        (Decimal("1772442900.25"), "2026-03-02T09:15:00.250000Z"),
        (1772442900250, "2026-03-02T09:15:00.250000Z"),
        ("2026-03-02 09:15:00", "2026-03-02T09:15:00Z"),
        ("2026-03-02 09:15:00.123456", "2026-03-02T09:15:00.123456Z"),
        ("2026-03-02 09:15:00+00", "2026-03-02T09:15:00+00:00"),
        ("2026-03-02 09:15:00 UTC", "2026-03-02T09:15:00Z"),
        ("2026-03-02T10:15:00+01:00", "2026-03-02T10:15:00+01:00"),
        ("2026-03-02T09:15:00.000Z", "2026-03-02T09:15:00.000Z"),
        ("yesterday", "yesterday"),
        ("", None),
        (None, None),
        (True, None),
    ],
)
def test_times_become_rfc_3339(stated: Any, read: str | None) -> None:
    assert instant(stated) == read


@given(st.integers(1_420_070_400_000_000, 4_102_444_800_000_000))
def test_an_instant_is_the_same_as_seconds_as_milliseconds_and_as_text(microseconds: int) -> None:
    at = from_us(microseconds)
    forms = (
        Decimal(microseconds).scaleb(-6),
        Decimal(microseconds).scaleb(-3),
        at.isoformat(),
        at.replace(tzinfo=None).isoformat(" "),
    )
    assert {parse_instant(instant(form) or "", "timestamp") for form in forms} == {at}


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (12, 12),
        (Decimal("12.0"), 12),
        pytest.param("12", 12, id="text"),
        (" 12 ", 12),
        ("", None),
        (Decimal("12.5"), Decimal("12.5")),
        ("many", "many"),
        (None, None),
        (True, True),
        (-3, -3),
    ],
)
def test_counts_become_integers_and_what_is_none_stays_to_be_refused(stated: Any, read: Any) -> None:
    assert (whole(stated), type(whole(stated))) == (read, type(read))


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (parse_json("3.0000000000000004e-05"), "0.000030000000000000004"),
        (parse_json("1E-10"), "0.0000000001"),
        ("0.0123", "0.0123"),
        (0, "0"),
        ("free", None),
        (None, None),
        (True, None),
        (Decimal("NaN"), None),
        (parse_json("1e999"), None),
    ],
)
def test_amounts_are_exact_decimal_text(stated: Any, read: str | None) -> None:
    assert amount(stated) == read


def test_json_in_a_cell_is_read_and_broken_json_is_nothing() -> None:
    assert mapping('{"a": 0.1}') == {"a": Decimal("0.1")}
    assert mapping('{"a": ') == mapping("[1]") == mapping(7) == {}
    assert words('["a", 1, ""]') == ["a"]
    assert words("a,b") == []


def test_what_is_said_to_be_so() -> None:
    assert [flag(v) for v in (True, "True", "true", "t", False, "False", "", None, 1)] == [True] * 4 + [False] * 5


def test_elapsed_time_is_told_only_where_it_makes_sense() -> None:
    start, end = "2026-03-02T09:15:00Z", "2026-03-02T09:15:01.250Z"
    assert elapsed_ms(start, end) == 1250
    assert elapsed_ms(end, start) is elapsed_ms(start, None) is elapsed_ms("soon", end) is None


@given(JSON)
def test_no_value_raises(value: Any) -> None:
    assert text(value) is None or text(value) == str(value).strip()
    assert instant(value) is None or isinstance(instant(value), str)
    assert amount(value) is None or Decimal(amount(value) or "") == Decimal(str(value).strip())
    assert isinstance(mapping(value), dict)
    assert whole(value) is None or whole(value) is not None


@given(JSON)
def test_a_slim_response_has_the_same_structure(value: Any) -> None:
    small = slim(value)
    assert type(small) is type(value)
    if isinstance(value, dict):
        assert small.keys() == value.keys()


def test_content_and_vectors_are_left_out_of_a_response() -> None:
    sent = {
        "id": "resp_1",
        "output": [{"type": "web_search_call"}, {"type": "message", "text": "x" * 500}],
        "data": [{"embedding": [Decimal("0.1")] * 1536}],
        "usage": {"input_tokens": 3},
    }
    assert slim(sent) == {
        "id": "resp_1",
        "output": [{"type": "web_search_call"}, {"type": "message", "text": ""}],
        "data": [{"embedding": []}],
        "usage": {"input_tokens": 3},
    }
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert slim(deep) is not None
