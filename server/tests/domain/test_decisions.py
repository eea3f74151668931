"""Decisions: denials win, grants only add, and what holds for a request is what one decision says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.access import ADMIN, OWNER, PERMISSIONS, Principal
from cost_ops.domain.decisions import DECIDED, Asked, decide, effective, refusal
from cost_ops.domain.plans import Quota
from cost_ops.domain.policies import Effect, Hours, Policy, PolicyConditions, parse_network
from cost_ops.domain.scopes import EVERYTHING, Scope
from tests.domain.builders import NOW

PROJECTS = ("alpha", "beta", "gamma")
ADDRESSES = (None, "10.1.2.3", "192.0.2.9", "no address")
RECORDS: Sequence[Mapping[str, str]] = [
    {},
    *({"project": project} for project in PROJECTS),
    {"tag:env": "prod"},
    {"project": "alpha", "tag:env": "prod"},
    {"project": "beta", "tag:env": "dev"},
]

_data = st.one_of(
    st.just(EVERYTHING),
    st.sets(st.sampled_from(PROJECTS), min_size=1).map(lambda found: Scope((("project", frozenset(found)),))),
    st.sampled_from(["prod", "dev"]).map(lambda value: Scope((("tag:env", frozenset({value})),))),
)
_conditions = st.builds(
    PolicyConditions,
    data=_data,
    hours=st.one_of(
        st.none(), st.builds(Hours, st.integers(0, 1439), st.integers(0, 1440), weekdays=st.just(frozenset({1, 6, 7})))
    ),
    not_before=st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)]),
    addresses=st.sampled_from([(), (parse_network("10.0.0.0/8"),)]),
)
_actions = st.sets(st.sampled_from([*PERMISSIONS, "usage:*", "*"]), min_size=1).map(frozenset)


def _policies(effect: Effect) -> st.SearchStrategy[Policy]:
    return st.builds(
        Policy,
        policy_id=st.text("abcdef", min_size=4, max_size=4),
        name=st.sampled_from(["first", "second", "third"]),
        effect=st.just(effect),
        subjects=st.just(frozenset({"*"})),
        actions=_actions,
        conditions=_conditions,
        created_at=st.integers(0, 100).map(lambda day: NOW - timedelta(days=day)),
    )


_any_policies = st.lists(st.one_of(_policies(Effect.ALLOW), _policies(Effect.DENY)), max_size=5)
_scopes = st.sampled_from([EVERYTHING, Scope((("project", frozenset({"alpha"})),)), Scope((("project", frozenset()),))])
_principals = st.builds(
    Principal,
    organization_id=st.just("org-1"),
    key_id=st.just("k"),
    permissions=st.sets(st.sampled_from([*PERMISSIONS, ADMIN])).map(frozenset),
    scope=_scopes,
    policies=_any_policies.map(tuple),
    quota=st.sampled_from([Quota("free"), Quota("developer"), Quota("enterprise")]),
)
_asked = st.builds(
    Asked,
    st.sampled_from(DECIDED),
    st.sampled_from([NOW, NOW + timedelta(hours=11), NOW + timedelta(days=2)]),
    st.sampled_from(ADDRESSES),
)


def _covered(principal: Principal, asked: Asked) -> list[bool]:
    """For each record whether it may be touched."""
    decision = decide(principal, asked)
    return [decision.allowed and decision.scope.covers(record.get) for record in RECORDS]


def _with(principal: Principal, policy: Policy) -> Principal:
    return replace(principal, policies=(*principal.policies, policy))


@given(_principals, _asked, _policies(Effect.DENY))
def test_a_further_denial_never_allows_more(principal: Principal, asked: Asked, denial: Policy) -> None:
    before, after = _covered(principal, asked), _covered(_with(principal, denial), asked)
    assert all(was for was, is_now in zip(before, after, strict=True) if is_now)


@given(_principals, _asked, _policies(Effect.ALLOW))
def test_a_further_grant_never_allows_less(principal: Principal, asked: Asked, grant: Policy) -> None:
    grant = replace(grant, created_at=NOW + timedelta(days=1))
    before, after = _covered(principal, asked), _covered(_with(principal, grant), asked)
    assert all(is_now for was, is_now in zip(before, after, strict=True) if was)


@given(_principals, _asked, _data)
def test_a_denial_that_holds_wins_over_everything(principal: Principal, asked: Asked, data: Scope) -> None:
    denial = Policy(
        "p", "never", Effect.DENY, frozenset({"*"}), frozenset({asked.permission}), PolicyConditions(data), NOW
    )
    covered = _covered(_with(principal, denial), asked)
    for record, touched in zip(RECORDS, covered, strict=True):
        assert not (touched and data.covers(record.get)), record


@given(_principals, _asked)
def test_what_holds_for_a_request_is_what_each_decision_says(principal: Principal, asked: Asked) -> None:
    held = effective(principal, asked.at, asked.address)
    decision = decide(principal, asked)
    assert (asked.permission in held.permissions) == decision.allowed
    if decision.allowed:
        assert held.scope_of(asked.permission) == decision.scope


@given(_principals, _asked)
def test_what_holds_holds_again(principal: Principal, asked: Asked) -> None:
    once = effective(principal, asked.at, asked.address)
    assert effective(once, asked.at, asked.address) == once


@given(_principals, _asked)
def test_nothing_reaches_beyond_the_projects_that_one_is_bound_to(principal: Principal, asked: Asked) -> None:
    for record, touched in zip(RECORDS, _covered(principal, asked), strict=True):
        assert not touched or principal.scope.covers(record.get)


@given(_principals, _asked)
def test_no_policy_makes_an_admin(principal: Principal, asked: Asked) -> None:
    assert not decide(principal, replace(asked, permission=ADMIN)).allowed or ADMIN in principal.permissions


def test_without_policies_nothing_is_worked_out() -> None:
    principal = Principal("org-1", "k", frozenset({"usage:read"}))
    assert effective(principal, NOW, None) is principal
    assert effective(OWNER, NOW, None) is OWNER


def _policy(effect: str, *actions: str, name: str = "p", day: int = 0, **conditions: object) -> Policy:
    made = PolicyConditions(**conditions)  # type: ignore[arg-type]
    at = NOW + timedelta(days=day)
    return Policy(name, name, Effect(effect), frozenset({"*"}), frozenset(actions), made, at)


def _of(project: str) -> Scope:
    return Scope((("project", frozenset({project})),))


def test_every_step_to_the_answer_is_told() -> None:
    principal = Principal(
        "org-1",
        None,
        frozenset({"usage:read"}),
        role="viewer",
        user_id="u",
        policies=(
            _policy("deny", "usage:*", name="secret", data=_of("alpha")),
            _policy("deny", "*", name="nights", hours=Hours(22 * 60, 6 * 60)),
        ),
    )
    decision = decide(principal, Asked("usage:read", NOW))
    assert (decision.allowed, str(decision.scope)) == (True, "not project alpha")
    assert [(step.what, step.verdict, step.why) for step in decision.steps] == [
        ("role viewer", "allows", "it holds usage:read"),
        ("policy secret", "denies", "the usage of project alpha"),
        ("policy nights", "passes", "outside its hours"),
    ]
    night = decide(principal, Asked("usage:read", datetime(2026, 3, 15, 23, 0, tzinfo=UTC)))
    assert (night.allowed, night.reason) == (False, "the policy 'nights' denies it")
    assert not any(night.scope.covers(record.get) for record in RECORDS)


def test_grants_by_different_conditions_do_not_add_up() -> None:
    tagged = Scope((("tag:env", frozenset({"prod"})),))
    principal = Principal(
        "org-1",
        "k",
        frozenset(),
        policies=(
            _policy("allow", "usage:read", name="a", day=1, data=tagged),
            _policy("allow", "usage:read", name="b", data=_of("alpha")),
            _policy("allow", "usage:read", name="c", day=2, data=_of("beta")),
        ),
    )
    decision = decide(principal, Asked("usage:read", NOW))
    assert str(decision.scope) == "project alpha, beta"
    assert decision.steps[-1].why == "grants by different conditions do not add up; the older b stands"


@pytest.mark.parametrize(
    ("quota", "policies", "details"),
    [
        (
            Quota("free"),
            (),
            {
                "reason": "the plan free has no exports; developer has",
                "required_plan": "developer",
                "feature": "exports",
            },
        ),
        (
            Quota(),
            (_policy("deny", "export:*", name="no exports"),),
            {"reason": "the policy 'no exports' denies it", "policy": "no exports"},
        ),
        (Quota(), (), {}),
    ],
)
def test_a_refusal_names_the_permission_and_the_reason(
    quota: Quota, policies: tuple[Policy, ...], details: dict[str, str]
) -> None:
    principal = Principal("org-1", "k", frozenset({"usage:read"}), policies=policies, quota=quota)
    error = refusal(principal, Asked("export:read", NOW))
    assert error.details == {"required_permission": "export:read", **details}


def test_only_a_denial_by_name_shuts_admins_out() -> None:
    admin = Principal("org-1", None, frozenset({*PERMISSIONS, ADMIN}), role="admin", user_id="u")
    all_denied = replace(admin, policies=(_policy("deny", "*"),))
    held = effective(all_denied, NOW, None)
    assert held.permissions == {ADMIN}
    office = _policy("deny", ADMIN, addresses=(parse_network("0.0.0.0/0"),))
    assert not effective(replace(admin, policies=(office,)), NOW, "192.0.2.1").may(ADMIN)
