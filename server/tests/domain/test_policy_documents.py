"""Policies as documents, and scopes: what is written comes back, what is wrong is named, filters mean what scopes do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.access import ADMIN, Principal, check_grantable, check_scope, check_whole
from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import Forbidden, InvalidInput
from cost_ops.domain.policies import Hours, in_networks, parse_network
from cost_ops.domain.policy_documents import known_actions, parse_conditions, policy_json, read_policy
from cost_ops.domain.roles import BUILT_IN, find_role
from cost_ops.domain.scopes import EVERYTHING, NOWHERE, Scope, of_projects
from tests.domain.builders import NOW

PLAIN: dict[str, Any] = {"name": "p", "effect": "deny", "actions": ["usage:read"]}
_words = st.lists(st.text("abc:/ é", min_size=1, max_size=5), min_size=1, max_size=3)
_clock = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
_instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
_data: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"projects": _words}),
    st.fixed_dictionaries(
        {"tags": st.dictionaries(st.text("abc", min_size=1, max_size=3), _words, min_size=1, max_size=1)}
    ),
)
_rest = st.fixed_dictionaries(
    {},
    optional={
        "hours": st.fixed_dictionaries(
            {"start": _clock, "end": st.one_of(_clock, st.just("24:00"))},
            optional={
                "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
                "weekdays": st.lists(st.integers(1, 7)),
            },
        ),
        "not_before": _instants.map(datetime.isoformat),
        "addresses": st.lists(
            st.sampled_from(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]), min_size=1, max_size=3
        ),
    },
)
_documents = st.builds(
    lambda name, effect, subjects, actions, data, rest: {
        "name": name,
        "effect": effect,
        "subjects": subjects,
        "actions": actions,
        "conditions": {**data, **rest},
    },
    st.text("abc é", min_size=1, max_size=9),
    st.sampled_from(["allow", "deny"]),
    st.lists(st.sampled_from(["*", "role:viewer", "user:u", "key:k"]), min_size=1),
    st.lists(st.sampled_from([action for action in known_actions() if action != ADMIN]), min_size=1),
    _data,
    _rest,
)


@given(_documents)
def test_a_policy_survives_being_written_and_read(document: Mapping[str, Any]) -> None:
    first = read_policy(document, policy_id="policy-1", now=NOW)
    written = policy_json(first)
    assert read_policy(written, policy_id="policy-1", now=NOW) == first
    assert parse_conditions(written["conditions"]) == first.conditions


def _faults(**fields: Any) -> set[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        read_policy({**PLAIN, **fields}, policy_id="p", now=NOW)
    return {(problem.field, problem.reason) for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, ("name", "missing_required_field")),
        ({"name": 7}, ("name", "missing_required_field")),
        ({"name": "a\x00"}, ("name", "invalid_characters")),
        ({"effect": "maybe"}, ("effect", "invalid_value")),
        ({"effect": ["deny"]}, ("effect", "invalid_value")),
        ({"subjects": "role:viewer"}, ("subjects", "invalid_type")),
        ({"subjects": ["group:x"]}, ("subjects", "invalid_value")),
        ({"subjects": []}, ("subjects", "invalid_type")),
        ({"actions": None}, ("actions", "invalid_type")),
        ({"actions": ["fly"]}, ("actions", "unknown_permission")),
        ({"effect": "allow", "actions": [ADMIN]}, ("actions", "not_grantable")),
        ({"actions": [ADMIN], "conditions": {"projects": ["a"]}}, ("conditions", "invalid_value")),
        ({"conditions": []}, ("conditions", "invalid_type")),
        ({"conditions": {"project": ["a"]}}, ("conditions.project", "unknown_field")),
        ({"conditions": {"projects": []}}, ("conditions.projects", "invalid_type")),
        ({"conditions": {"projects": ["a"] * 201}}, ("conditions.projects", "too_many")),
        ({"conditions": {"tags": {}}}, ("conditions.tags", "invalid_type")),
        ({"conditions": {"tags": {"": ["x"]}}}, ("conditions.tags.", "empty")),
        ({"conditions": {"tags": {"k": 5}}}, ("conditions.tags.k", "invalid_type")),
        ({"conditions": {"projects": ["a"], "tags": {"k": ["v"]}}}, ("conditions", "too_many")),
        ({"conditions": {"hours": "9-5"}}, ("conditions.hours", "invalid_type")),
        ({"conditions": {"hours": {"start": "25:00"}}}, ("conditions.hours.start", "invalid_value")),
        ({"conditions": {"hours": {"start": "24:00"}}}, ("conditions.hours.start", "invalid_value")),
        ({"conditions": {"hours": {"timezone": "../etc"}}}, ("conditions.hours.timezone", "invalid_value")),
        ({"conditions": {"hours": {"weekdays": [0]}}}, ("conditions.hours.weekdays", "invalid_value")),
        ({"conditions": {"hours": {"weekdays": [True]}}}, ("conditions.hours.weekdays", "invalid_value")),
        ({"conditions": {"not_before": "2026-01-01"}}, ("conditions.not_before", "invalid_date_format")),
        (
            {"conditions": {"not_before": "2026-01-02T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"}},
            ("conditions.not_after", "invalid_value"),
        ),
        ({"conditions": {"addresses": ["10.0.0.0/40"]}}, ("conditions.addresses", "invalid_value")),
        ({"priority": 1}, ("priority", "unknown_field")),
    ],
)
def test_what_is_wrong_with_a_policy_is_named(fields: dict[str, Any], fault: tuple[str, str]) -> None:
    assert fault in _faults(**fields)


def test_all_faults_are_named_at_once() -> None:
    assert len(_faults(name="", effect="x", actions=["fly"], conditions={"projects": [], "x": 1})) == 5


def test_hours_are_those_of_their_zone_and_belong_to_the_day_on_which_they_begin() -> None:
    nights = Hours(22 * 60, 6 * 60, "Europe/Berlin", frozenset({5}))
    friday = datetime(2026, 3, 13, 21, 0, tzinfo=UTC)
    assert nights.hold(friday)
    assert nights.hold(friday + timedelta(hours=7, minutes=59))
    assert not nights.hold(friday + timedelta(hours=8))
    assert not nights.hold(friday - timedelta(minutes=1))
    assert not nights.hold(friday + timedelta(days=1))


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        (None, False),
        ("nonsense", False),
        ("2001:db8::1", True),
    ],
)
def test_addresses_lie_in_networks(address: str | None, inside: bool) -> None:
    networks = [parse_network("::ffff:10.0.0.0/104"), parse_network("2001:db8::/32")]
    assert in_networks(address, networks) is inside


_values = st.frozensets(st.sampled_from(["a", "b", "c"]), max_size=3)
_dimensions = st.sampled_from(["project", "tag:env"])
_parts = st.dictionaries(_dimensions, _values).map(lambda found: tuple(sorted(found.items())))
_scopes = st.builds(Scope, _parts, _parts)
_records = st.dictionaries(_dimensions, st.sampled_from(["a", "b", "c", "d"]))


@given(_scopes, _records)
def test_filters_mean_what_the_scope_does(scope: Scope, record: Mapping[str, str]) -> None:
    passed = all(one.matches(record.get(one.dimension)) for one in scope.filters())
    assert passed == scope.covers(record.get)
    assert not NOWHERE.covers(record.get)
    assert EVERYTHING.covers(record.get)


@given(_scopes, _scopes, _records)
def test_scopes_are_put_together_by_what_they_cover(one: Scope, other: Scope, record: Mapping[str, str]) -> None:
    mine, its = one.covers(record.get), other.covers(record.get)
    assert one.within(other).covers(record.get) == (mine and its)
    joined = one.joined(other)
    assert joined is None or joined.covers(record.get) == (mine or its)
    if len(one.only) == 1 and not one.never:
        assert one.complement().covers(record.get) == (not mine)


@given(_scopes, st.sampled_from(["a", "b", "d"]), _dimensions)
def test_only_a_question_about_what_lies_outside_is_refused(scope: Scope, value: str, dimension: str) -> None:
    principal = Principal("org-1", "k", frozenset({"usage:read"}), scope=scope)
    asked = [Filter(dimension, "eq", (value,))]
    relevant = Scope(
        tuple(part for part in scope.only if part[0] == dimension),
        tuple(part for part in scope.never if part[0] == dimension),
    )
    if relevant.covers({dimension: value}.get):
        assert check_scope(principal, "usage:read", asked) == (*asked, *scope.filters())
    else:
        with pytest.raises(Forbidden):
            check_scope(principal, "usage:read", asked)


def test_what_is_about_everything_is_for_whoever_sees_everything() -> None:
    check_whole(Principal("org-1", "k", frozenset()), "usage:read")
    with pytest.raises(Forbidden) as refused:
        check_whole(Principal("org-1", "k", frozenset(), scope=of_projects(["a"])), "usage:read")
    assert refused.value.details["required_permission"] == "usage:read"


def test_what_is_not_held_is_not_granted() -> None:
    principal = Principal("org-1", None, frozenset({"usage:read", ADMIN}))
    check_grantable(principal, ["usage:read"])
    with pytest.raises(Forbidden) as refused:
        check_grantable(principal, ["usage:read", "usage:write", "audit:read"])
    assert refused.value.details == {
        "required_permission": "audit:read",
        "reason": "nobody grants what they do not hold",
    }


def test_each_role_holds_what_the_guide_says() -> None:
    assert {name: len(role.permissions) for name, role in BUILT_IN.items()} == {
        "viewer": 7,
        "analyst": 9,
        "engineer": 11,
        "billing_admin": 12,
        "admin": 16,
    }
    assert ADMIN not in frozenset().union(*(role.permissions for name, role in BUILT_IN.items() if name != "admin"))
    with pytest.raises(InvalidInput, match="known are viewer"):
        find_role("root", [])
