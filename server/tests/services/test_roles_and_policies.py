"""Custom roles, policies, projects and teams: kept by admins of their organisation, explained step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.errors import Conflict, CostOpsError, Forbidden, InvalidInput, NotFound
from cost_ops.domain.plans import Quota
from cost_ops.domain.users import Membership, User
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.principals import principal_of_key, principal_of_member
from cost_ops.services import access, explain_access, policies, projects, roles
from cost_ops.services.explain_access import AccessQuestion, ExplainedAccess
from cost_ops.services.projects import ProjectChange
from tests.services.conftest import Desk

HIDE: dict[str, Any] = {
    "name": "hide the merger",
    "effect": "deny",
    "subjects": ["role:auditor"],
    "actions": ["usage:*", "costs:read"],
    "conditions": {"projects": ["merger"]},
}


def _admin(desk: Desk, plan: str = "enterprise") -> Context:
    held = frozenset({*PERMISSIONS, ADMIN})
    return desk.context(Principal(desk.org, None, held, role="admin", user_id="user-1", quota=Quota(plan)))


def _member(desk: Desk, role: str, **about: Any) -> User:
    """A user with a membership in the desk's organisation."""
    user = User(f"user-{desk.org}-{role}", f"{role}@{desk.org}.example", desk.now)
    values = {"projects": (), "teams": (), **about}
    membership = Membership(
        desk.org, user.user_id, user.email, role, role, created_at=desk.now, created_by="owner", **values
    )
    with desk.ctx.storage.installation() as installation:
        installation.credentials.add_user(user)
    with desk.ctx.storage.ledger(desk.org) as ledger:
        ledger.people.add_member(membership)
    return user


def _principal(desk: Desk, user: User) -> Principal:
    with desk.ctx.storage.installation() as installation:
        standing = installation.credentials.standing(user.user_id, desk.org)
    assert standing is not None
    return principal_of_member(standing)


def _refused(call: Callable[[], Any], kind: type[CostOpsError]) -> CostOpsError:
    with pytest.raises(kind) as refused:
        call()
    return refused.value


def test_a_custom_role_is_made_given_changed_and_removed(desk: Desk) -> None:
    ctx = _admin(desk)
    made = roles.add_role(ctx, desk.org, "auditor", ["costs:read"], "looks at costs")
    assert roles.get_role(ctx, desk.org, "auditor") == made
    ana = _member(desk, "auditor")
    assert _principal(desk, ana).permissions == {"costs:read"}
    roles.change_role(ctx, desk.org, "auditor", permissions=["costs:read", "audit:read"])
    assert _principal(desk, ana).permissions == {"costs:read", "audit:read"}
    assert "1 members have the role" in str(_refused(lambda: roles.remove_role(ctx, desk.org, "auditor"), Conflict))
    with desk.ctx.storage.ledger(desk.org) as ledger:
        ledger.people.remove_member(ana.user_id, desk.now)
    policies.add_policy(ctx, desk.org, HIDE)
    assert "hide the merger" in str(_refused(lambda: roles.remove_role(ctx, desk.org, "auditor"), Conflict))
    policies.remove_policy(ctx, desk.org, "hide the merger")
    roles.remove_role(ctx, desk.org, "auditor")
    _refused(lambda: roles.get_role(ctx, desk.org, "auditor"), NotFound)


def test_what_a_custom_role_cannot_be(desk: Desk) -> None:
    ctx = _admin(desk)
    _refused(lambda: roles.add_role(ctx, desk.org, "admin", ["costs:read"]), InvalidInput)
    _refused(lambda: roles.add_role(ctx, desk.org, "root", [ADMIN]), InvalidInput)
    _refused(lambda: roles.add_role(ctx, desk.org, "A B", ["costs:read"]), InvalidInput)
    _refused(lambda: roles.change_role(ctx, desk.org, "viewer", permissions=[]), Conflict)
    _refused(lambda: roles.remove_role(ctx, desk.org, "viewer"), Conflict)
    _refused(lambda: roles.remove_role(ctx, desk.org, "nobody"), NotFound)
    roles.add_role(ctx, desk.org, "auditor", ["costs:read"])
    _refused(lambda: roles.add_role(ctx, desk.org, "auditor", ["usage:read"]), Conflict)
    poor = desk.context(Principal(desk.org, None, frozenset({ADMIN, "costs:read"}), role="admin", user_id="u"))
    refused = _refused(lambda: roles.change_role(poor, desk.org, "auditor", permissions=["usage:write"]), Forbidden)
    assert refused.details["required_permission"] == "usage:write"


def test_custom_roles_and_policies_take_a_plan_that_has_them(desk: Desk) -> None:
    ctx = _admin(desk, "developer")
    for call in (
        lambda: roles.add_role(ctx, desk.org, "auditor", ["costs:read"]),
        lambda: policies.add_policy(ctx, desk.org, {"name": "p", "effect": "deny", "actions": ["*"]}),
    ):
        refused = _refused(call, Forbidden)
        assert refused.details == {
            "required_permission": ADMIN,
            "reason": "the plan developer has no rbac; professional has",
            "required_plan": "professional",
            "feature": "rbac",
        }
    with desk.ctx.storage.installation() as installation:
        installation.credentials.set_quota(desk.org, Quota("free"))
    _refused(lambda: roles.add_role(desk.ctx, desk.org, "auditor", ["costs:read"]), Forbidden)


def test_another_organisations_are_not_found(desk: Desk) -> None:
    other = Desk(desk.application)
    roles.add_role(other.ctx, other.org, "theirs", ["costs:read"])
    made = policies.add_policy(other.ctx, other.org, {"name": "p", "effect": "deny", "actions": ["audit:read"]})
    projects.add_team(other.ctx, other.org, "team")
    projects.add_project(other.ctx, other.org, "project", team_id="team")
    key = access.create_key(other.ctx, other.org, name="k").key
    user = _member(other, "viewer")
    ctx = _admin(desk)
    for call in (
        lambda: roles.list_roles(ctx, other.org),
        lambda: roles.get_role(ctx, desk.org, "theirs"),
        lambda: roles.remove_role(ctx, desk.org, "theirs"),
        lambda: policies.get_policy(ctx, desk.org, made.policy_id),
        lambda: policies.change_policy(ctx, desk.org, made.policy_id, {"name": "x"}),
        lambda: policies.remove_policy(ctx, other.org, made.policy_id),
        lambda: projects.get_project(ctx, desk.org, "project"),
        lambda: projects.change_project(ctx, desk.org, "project", ProjectChange(name="x")),
        lambda: projects.remove_team(ctx, desk.org, "team"),
        lambda: explain_access.explain(ctx, None, AccessQuestion("costs:read", key=key.key_id)),
        lambda: explain_access.explain(ctx, None, AccessQuestion("costs:read", user=user.email)),
        lambda: explain_access.explain(ctx, None, AccessQuestion("costs:read", user=user.user_id)),
        lambda: explain_access.explain(ctx, other.org, AccessQuestion("costs:read", key=key.key_id)),
    ):
        _refused(call, NotFound)
    assert len(policies.list_policies(ctx, desk.org)) == 0


def test_policies_are_for_subjects_that_exist(desk: Desk) -> None:
    ctx = _admin(desk)
    wrong = {**HIDE, "subjects": ["role:auditor", "user:nobody", "key:key_nothere1", "*"]}
    refused = _refused(lambda: policies.add_policy(ctx, desk.org, wrong), InvalidInput)
    assert isinstance(refused, InvalidInput)
    assert [problem.message for problem in refused.problems] == [
        "there is no key 'nothere1' here",
        "there is no role 'auditor' here",
        "there is no user 'nobody' here",
    ]
    key = access.create_key(ctx, None, name="k").key
    made = policies.add_policy(ctx, desk.org, {**HIDE, "subjects": [f"key:key_{key.key_id}"]})
    assert made.subjects == {f"key:{key.key_id}"}
    with desk.ctx.storage.installation() as installation:
        standing = installation.credentials.key(key.key_id)
    assert standing is not None
    assert principal_of_key(standing).policies == (made,)


def test_a_policy_is_changed_field_by_field_and_its_name_is_its_own(desk: Desk) -> None:
    ctx = _admin(desk)
    made = policies.add_policy(ctx, desk.org, {**HIDE, "subjects": ["role:viewer"]})
    changed = policies.change_policy(ctx, desk.org, made.policy_id, {"actions": ["audit:read"]})
    assert (changed.conditions, changed.actions) == (made.conditions, frozenset({"audit:read"}))
    assert policies.get_policy(ctx, desk.org, made.name) == changed
    _refused(lambda: policies.add_policy(ctx, desk.org, {**HIDE, "subjects": ["*"]}), Conflict)
    with desk.ctx.storage.ledger(desk.org) as ledger:
        events = ledger.audit.page(action="policies.saved")[0]
    assert [(e.action, e.resource) for e in events] == [("policies.saved", made.policy_id)] * 2
    assert (events[0].detail or {})["after"] == {"actions": ["audit:read"]}


def test_nobody_shuts_themself_out(desk: Desk) -> None:
    ctx = _admin(desk)
    deny = {"name": "office", "effect": "deny", "actions": [ADMIN]}
    assert "shut yourself out" in str(_refused(lambda: policies.add_policy(ctx, desk.org, deny), Conflict))
    night = {**deny, "conditions": {"hours": {"start": "22:00", "end": "06:00"}}}
    assert policies.add_policy(ctx, desk.org, night).name == "office"
    assert policies.add_policy(desk.ctx, desk.org, {**deny, "name": "all"}).effect == "deny"


def test_members_of_a_team_see_its_projects_and_nothing_where_it_has_none(desk: Desk) -> None:
    ctx = _admin(desk)
    projects.add_team(ctx, desk.org, "search")
    ana = _member(desk, "viewer", teams=("search",))
    assert str(_principal(desk, ana).scope) == "project none"
    projects.add_project(ctx, desk.org, "alpha", team_id="search")
    assert str(_principal(desk, ana).scope) == "project alpha"
    projects.change_project(ctx, desk.org, "alpha", ProjectChange(team_id=""))
    assert str(_principal(desk, ana).scope) == "project none"
    ben = _member(desk, "engineer", projects=("beta",), teams=("search",))
    assert str(_principal(desk, ben).scope) == "project beta"
    assert _principal(desk, _member(desk, "made-up")).permissions == frozenset()


def test_projects_are_declared_or_seen_in_usage(desk: Desk) -> None:
    ctx = _admin(desk)
    desk.record(desk.submission(project_id="seen"))
    projects.add_project(ctx, desk.org, "declared", name="Declared")
    found = {
        known.project_id: (known.declared is not None, known.used) for known in projects.list_projects(ctx, desk.org)
    }
    assert found == {"declared": (True, False), "seen": (False, True)}
    archived = projects.change_project(ctx, desk.org, "seen", ProjectChange(archived=True))
    assert (archived.archived, archived.declared is not None) == (True, True)
    assert not projects.change_project(ctx, desk.org, "seen", ProjectChange(archived=False)).archived
    _refused(lambda: projects.add_project(ctx, desk.org, "declared"), Conflict)
    _refused(lambda: projects.add_project(ctx, desk.org, "x", team_id="none"), InvalidInput)
    _refused(lambda: projects.change_project(ctx, desk.org, "nothing", ProjectChange(name="x")), NotFound)


def test_a_team_in_use_is_not_removed(desk: Desk) -> None:
    ctx = _admin(desk)
    projects.add_team(ctx, desk.org, "search", "Search")
    projects.add_project(ctx, desk.org, "alpha", team_id="search")
    assert [(t.team.name, t.projects) for t in projects.list_teams(ctx, desk.org)] == [("Search", ("alpha",))]
    _refused(lambda: projects.remove_team(ctx, desk.org, "search"), Conflict)
    projects.change_project(ctx, desk.org, "alpha", ProjectChange(team_id=""))
    assert projects.change_team(ctx, desk.org, "search", "Find").team.name == "Find"
    projects.remove_team(ctx, desk.org, "search")
    assert projects.list_teams(ctx, desk.org) == []


def _explained(desk: Desk, permission: str, **question: Any) -> ExplainedAccess:
    return explain_access.explain(desk.ctx, desk.org, AccessQuestion(permission, **question))


def test_access_is_explained_step_by_step(desk: Desk) -> None:
    ctx = _admin(desk)
    roles.add_role(ctx, desk.org, "auditor", ["costs:read"])
    policies.add_policy(ctx, desk.org, HIDE)
    ana = _member(desk, "auditor")
    found = _explained(desk, "costs:read", user=ana.email, project="merger")
    assert (found.allowed, found.covered) == (False, False)
    assert found.remedies == (
        "change or remove the policy hide the merger: `cost-ops policies show 'hide the merger'`",
    )
    assert [(step.what, step.verdict) for step in found.decision.steps] == [
        ("role auditor", "allows"),
        ("policy hide the merger", "denies"),
    ]
    assert _explained(desk, "costs:read", user=ana.email, project="other").allowed
    refused = _explained(desk, "usage:write", user=ana.user_id)
    assert not refused.allowed
    assert refused.decision.reason == "nothing grants usage:write"


def test_keys_are_explained_and_what_would_have_to_change(desk: Desk) -> None:
    key = access.create_key(desk.ctx, desk.org, name="k", permissions=["costs:read"], projects=["alpha"]).key
    missing = _explained(desk, "usage:read", key=f"key_{key.key_id}")
    assert missing.remedies[0] == f"grant it: `cost-ops auth update-key key_{key.key_id} --add-permissions usage:read`"
    outside = _explained(desk, "costs:read", key=key.key_id, project="beta")
    assert (outside.decision.allowed, outside.allowed) == (True, False)
    assert outside.remedies == (
        f"bind the key to more projects: `cost-ops auth update-key key_{key.key_id} --projects A,B`",
    )
    access.revoke_key(desk.ctx, key.key_id)
    revoked = _explained(desk, "costs:read", key=key.key_id)
    assert (revoked.allowed, revoked.decision.reason) == (False, "the key is revoked")
    admin = access.create_key(desk.ctx, None, name="root", kind="admin").key
    assert explain_access.explain(desk.ctx, None, AccessQuestion("costs:read", key=admin.key_id)).allowed


def test_anyone_may_ask_about_themself(desk: Desk) -> None:
    key = access.create_key(desk.ctx, desk.org, name="k", permissions=["costs:read"]).key
    own = desk.context(key.principal)
    assert explain_access.explain(own, None, AccessQuestion("costs:read")).allowed
    assert not explain_access.explain(own, None, AccessQuestion("usage:read")).allowed
    _refused(lambda: explain_access.explain(own, None, AccessQuestion("usage:read", key=key.key_id)), Forbidden)
    assert explain_access.explain(desk.ctx, None, AccessQuestion(ADMIN)).allowed
    _refused(lambda: _explained(desk, "fly"), InvalidInput)
    _refused(lambda: _explained(desk, "costs:read", key="a", user="b"), InvalidInput)


def test_another_time_and_address_can_be_asked_about(desk: Desk) -> None:
    ctx = _admin(desk)
    key = access.create_key(ctx, None, name="k").key
    policies.add_policy(
        ctx,
        desk.org,
        {
            "name": "office",
            "effect": "deny",
            "actions": ["pricing:write"],
            "conditions": {"addresses": ["192.0.2.0/24"], "hours": {"start": "18:00", "end": "08:00"}},
        },
    )
    about: dict[str, Any] = {"key": key.key_id, "address": "192.0.2.9"}
    assert _explained(desk, "pricing:write", **about).allowed
    night = desk.now + timedelta(hours=8)
    assert not _explained(desk, "pricing:write", at=night, **about).allowed
    elsewhere = {**about, "address": "198.51.100.1"}
    found = _explained(desk, "pricing:write", at=night, **elsewhere)
    assert found.decision.steps[-1].why == "address 198.51.100.1 is not in its networks"
