"""The people of an organisation, on both databases: what may be granted, and who must stay."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.attempts import AttemptLimit
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from cost_ops.domain.roles import BUILT_IN, check_role
from cost_ops.domain.scopes import EVERYTHING, of_projects
from cost_ops.domain.users import Project, Team
from cost_ops.interfaces.login import LoginTools
from cost_ops.services import organizations, people
from cost_ops.services.people import MemberChange, NewMember
from tests.people import KeptLetters, cheap_tools, join
from tests.services.conftest import Desk


@pytest.fixture
def tools() -> LoginTools:
    return cheap_tools()


def member(desk: Desk, user_id: str, role: str = "admin", **about: Any) -> Principal:
    return Principal(desk.org, None, BUILT_IN[role].permissions, user_id=user_id, role=role, **about)


def new(desk: Desk, name: str, role: str = "viewer", **bound: tuple[str, ...]) -> NewMember:
    return NewMember(f"{name}@{desk.org}.example.com", name, role, **bound)


def team(desk: Desk, team_id: str, *projects: str) -> None:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        ledger.people.save_team(Team(team_id, team_id, desk.now))
        for project in projects:
            ledger.people.save_project(Project(project, project, team_id, desk.now))


@pytest.mark.parametrize("role", ["engineer", "billing_admin", "admin"])
def test_nobody_gives_a_role_that_has_more_than_they_hold(role: str, desk: Desk, tools: LoginTools) -> None:
    short = replace(member(desk, "usr_short"), permissions=BUILT_IN["viewer"].permissions | {ADMIN})
    ctx = desk.context(short)
    with pytest.raises(Forbidden) as refused:
        people.add(ctx, tools, desk.org, new(desk, "ana", role))
    assert refused.value.details["required_permission"] in BUILT_IN[role].permissions
    ben = people.add(ctx, tools, desk.org, new(desk, "ben", "viewer")).member
    with pytest.raises(Forbidden):
        people.change(ctx, desk.org, ben.user_id, MemberChange(role=role))
    assert people.member(ctx, desk.org, ben.user_id).role == "viewer"


def test_a_role_of_the_organisations_own_can_be_given_and_no_unknown_one(desk: Desk, tools: LoginTools) -> None:
    with desk.ctx.storage.ledger(desk.org) as ledger:
        ledger.people.save_role(check_role(desk.org, "auditor", ["audit:read"]), desk.now)
    assert people.add(desk.ctx, tools, desk.org, new(desk, "ana", "auditor")).member.role == "auditor"
    with pytest.raises(InvalidInput, match="auditor"):
        people.add(desk.ctx, tools, desk.org, new(desk, "ben", "boss"))


def test_who_is_bound_to_projects_lets_others_see_no_more(desk: Desk, tools: LoginTools) -> None:
    team(desk, "web", "shop")
    team(desk, "data", "lake")
    ctx = desk.context(member(desk, "usr_bound", scope=of_projects(["shop", "blog"])))
    for bound in (
        {},
        {"projects": ("lake",)},
        {"projects": ("shop", "lake")},
        {"teams": ("data",)},
        {"projects": ("shop",), "teams": ("data",)},
    ):
        with pytest.raises(Forbidden):
            people.add(ctx, tools, desk.org, new(desk, "ana", **bound))
    assert people.add(ctx, tools, desk.org, new(desk, "ana", projects=("shop",))).member.projects == ("shop",)
    assert people.add(ctx, tools, desk.org, new(desk, "ben", teams=("web",))).member.teams == ("web",)


def test_an_admin_of_one_organisation_finds_nobody_of_another(desk: Desk, tools: LoginTools) -> None:
    other = f"{desk.org}-other"
    organizations.ensure(desk.ctx, other)
    eva = join(desk.ctx, tools, other, f"eva@{other}.example.com").member
    ctx = desk.context(member(desk, "usr_admin"))
    for attempt in (
        lambda: people.member(ctx, desk.org, eva.user_id),
        lambda: people.find_member(ctx, desk.org, eva.email),
        lambda: people.change(ctx, desk.org, eva.user_id, MemberChange(role="admin")),
        lambda: people.remove(ctx, desk.org, eva.user_id),
        lambda: people.members(ctx, other),
        lambda: people.add(ctx, tools, other, new(desk, "ana")),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert people.member(desk.ctx, other, eva.user_id) == eva


def test_whoever_lacks_the_permission_does_nothing(desk: Desk, tools: LoginTools) -> None:
    for principal in (Principal(desk.org, "abcd1234", frozenset(PERMISSIONS)), member(desk, "usr_eng", "engineer")):
        ctx = desk.context(principal)
        with pytest.raises(Forbidden):
            people.members(ctx, desk.org)
        with pytest.raises(Forbidden):
            people.add(ctx, tools, desk.org, new(desk, "ana"))


def test_of_two_admins_that_demote_each_other_at_once_one_stays(desk: Desk, tools: LoginTools) -> None:
    for round_ in range(4):
        admins = [
            join(desk.ctx, tools, desk.org, f"a{round_}{n}@{desk.org}.example.com", "admin").member for n in range(2)
        ]
        outcomes: list[str] = []
        start = threading.Barrier(2)

        def demote(number: int, admins: Any = admins, start: Any = start, outcomes: Any = outcomes) -> None:
            ctx = desk.context(member(desk, admins[number].user_id))
            start.wait()
            try:
                people.change(ctx, desk.org, admins[1 - number].user_id, MemberChange(role="viewer"))
                outcomes.append("done")
            except Conflict:
                outcomes.append("kept")

        threads = [threading.Thread(target=demote, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["done", "kept"]
        left = [one for one in people.members(desk.ctx, desk.org) if one.role == "admin"]
        assert len(left) == 1
        people.remove(desk.ctx, desk.org, left[0].user_id)


def test_an_admin_who_sees_a_part_does_not_count_as_one(desk: Desk, tools: LoginTools) -> None:
    whole = join(desk.ctx, tools, desk.org, f"whole@{desk.org}.example.com", "admin").member
    join(desk.ctx, tools, desk.org, f"part@{desk.org}.example.com", "admin", projects=("shop",))
    ctx = desk.context(member(desk, whole.user_id))
    for attempt in (
        lambda: people.remove(ctx, desk.org, whole.user_id),
        lambda: people.change(ctx, desk.org, whole.user_id, MemberChange(role="viewer")),
        lambda: people.change(ctx, desk.org, whole.user_id, MemberChange(projects=("shop",))),
    ):
        with pytest.raises(Conflict):
            attempt()
    people.change(ctx, desk.org, whole.user_id, MemberChange(name="Still here"))
    people.remove(desk.ctx, desk.org, whole.user_id)


def test_every_change_is_audited_with_before_and_after_and_without_addresses(desk: Desk, tools: LoginTools) -> None:
    admin = desk.context(member(desk, "usr_admin"))
    ana = people.add(admin, tools, desk.org, new(desk, "ana", projects=("shop",))).member
    people.change(admin, desk.org, ana.user_id, MemberChange(role="analyst", projects=()))
    people.remove(admin, desk.org, ana.user_id)
    with desk.ctx.storage.ledger(desk.org) as ledger:
        events = [e for e in ledger.audit.page(limit=10)[0] if e.resource == ana.user_id]
    removed, changed, added = events
    assert [e.action for e in events] == ["users.removed", "users.changed", "users.added"]
    assert {e.actor for e in events} == {"user:usr_admin"}
    assert added.detail == {"after": {"role": "viewer", "projects": ["shop"], "teams": []}}
    assert changed.detail == {
        "before": {"role": "viewer", "projects": ["shop"], "teams": []},
        "after": {"role": "analyst", "projects": [], "teams": []},
    }
    assert removed.detail == {"before": {"role": "analyst", "projects": [], "teams": []}}
    assert ana.email not in str(events)


def test_a_change_that_changes_nothing_leaves_no_trace(desk: Desk, tools: LoginTools) -> None:
    ana = people.add(desk.ctx, tools, desk.org, new(desk, "ana")).member
    people.change(desk.ctx, desk.org, ana.user_id, MemberChange(role="viewer", name="ana"))
    with desk.ctx.storage.ledger(desk.org) as ledger:
        assert [e.action for e in ledger.audit.page(limit=10)[0] if e.resource == ana.user_id] == ["users.added"]


def test_two_organisations_that_invite_a_stranger_at_once_share_one_account(desk: Desk, tools: LoginTools) -> None:
    others = [f"{desk.org}-{n}" for n in range(4)]
    for other in others:
        organizations.ensure(desk.ctx, other)
    found: list[str] = []
    start = threading.Barrier(len(others))

    def invite(other: str) -> None:
        start.wait()
        found.append(people.add(desk.ctx, tools, other, new(desk, "shared")).member.user_id)

    threads = [threading.Thread(target=invite, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_who_has_a_password_gets_a_letter_without_a_link(desk: Desk) -> None:
    kept = KeptLetters()
    tools = cheap_tools(kept)
    join(desk.ctx, tools, desk.org, f"ana@{desk.org}.example.com")
    kept.letters.clear()
    other = f"{desk.org}-other"
    organizations.ensure(desk.ctx, other)
    for name, token in (("ana", False), ("ben", True)):
        people.add(desk.ctx, tools, other, new(desk, name))
        assert bool(kept.last.token) == token
        assert kept.last.organization == other


def test_a_scope_of_everything_is_what_an_unbound_admin_has(desk: Desk) -> None:
    assert member(desk, "usr_admin").scope_of(ADMIN) == EVERYTHING


LIMIT = AttemptLimit("test", 3, 60)


def claim(desk: Desk, holder: str, limit: AttemptLimit = LIMIT) -> int:
    with desk.ctx.storage.installation() as installation:
        return installation.attempts.claim(holder, limit, desk.now)


def test_attempts_are_counted_from_the_first_and_forgotten_after_their_time(desk: Desk) -> None:
    holder = f"holder of {desk.org}"
    assert [claim(desk, holder) for _ in range(3)] == [0, 0, 0]
    desk.now += timedelta(seconds=20)
    assert claim(desk, holder) == 40
    assert claim(desk, f"other {holder}") == 0
    assert claim(desk, holder, AttemptLimit("another", 1, 60)) == 0
    desk.now += timedelta(seconds=40)
    assert [claim(desk, holder) for _ in range(4)] == [0, 0, 0, 60]
    with desk.ctx.storage.installation() as installation:
        installation.attempts.give_back(holder, LIMIT)
    assert [claim(desk, holder), claim(desk, holder)] == [0, 60]
    with desk.ctx.storage.installation() as installation:
        installation.attempts.clear(holder, LIMIT)
        installation.attempts.give_back(holder, LIMIT)
    assert claim(desk, holder) == 0


def test_of_attempts_at_once_exactly_as_many_are_let_through_as_may(desk: Desk) -> None:
    holder, limit = f"crowd of {desk.org}", AttemptLimit("test", 5, 60)
    found: list[int] = []
    start = threading.Barrier(16)

    def run() -> None:
        start.wait()
        found.append(claim(desk, holder, limit))

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(0) == 5
    assert set(found) == {0, 60}


def test_counts_of_long_ago_take_no_room(desk: Desk) -> None:
    limit = AttemptLimit(f"old-{desk.org}", 3, 60)
    for number in range(20):
        claim(desk, str(number), limit)
    desk.now += timedelta(minutes=5)
    claim(desk, "new", limit)
    with desk.ctx.storage.installation() as installation:
        rows = installation._tx.rows(_count_of(limit.kind))  # type: ignore[attr-defined]
    assert rows[0][0] == 1


def _count_of(kind: str) -> Any:
    from sqlalchemy import func, select

    from cost_ops.storage.access_tables import limit_windows

    return select(func.count()).select_from(limit_windows).where(limit_windows.c.holder.startswith(f"{kind}:"))
