"""The people of an organisation: inviting them, what they are in it, and letting them go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from cost_ops.domain.access import ADMIN, Principal, authorize, authorize_owner
from cost_ops.domain.attempts import LETTERS_TO_ACCOUNT, account_holder
from cost_ops.domain.audit import Action, actor_of
from cost_ops.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Problem, invalid
from cost_ops.domain.letters import Letter, LetterKind, link_of
from cost_ops.domain.random_text import random_identity, random_secret
from cost_ops.domain.roles import Role, find_role
from cost_ops.domain.scopes import Scope
from cost_ops.domain.sessions import INVITE_TIME, OneTimeToken, Purpose
from cost_ops.domain.text import text_fault
from cost_ops.domain.users import Membership, Project, Team, User, normal_email
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.login import LoginTools
from cost_ops.interfaces.people import PeopleRepository
from cost_ops.interfaces.storage import Installation

MAX_BOUND = 200


@dataclass(frozen=True, slots=True)
class NewMember:
    """Who is to be a member, and as what. Without projects and teams they see the whole organisation."""

    email: str
    name: str
    role: str
    projects: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invited:
    """A new member. `letter` is `sent`, or `not_sent` where there is no mail server; `link` is for the owner alone."""

    member: Membership
    letter: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What is to be another; None stays as it is. An empty list of projects and teams lifts the binding."""

    name: str | None = None
    role: str | None = None
    projects: tuple[str, ...] | None = None
    teams: tuple[str, ...] | None = None
    disabled: bool | None = None


def members(ctx: Context, organization_id: str | None) -> list[Membership]:
    """The members of an organisation by address."""
    with ctx.storage.ledger(_bound(ctx, organization_id)) as ledger:
        return ledger.people.members()


def member(ctx: Context, organization_id: str | None, user_id: str) -> Membership:
    """One member. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, organization_id)) as ledger:
        return _member(ledger.people, user_id)


def find_member(ctx: Context, organization_id: str | None, text: str) -> Membership:
    """A member by id or by address. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, organization_id)) as ledger:
        wanted = text.strip().lower()
        found = [one for one in ledger.people.members() if wanted in (one.user_id, one.email)]
    if not found:
        raise NotFound(f"No user {text[:64]!r}; `cost-ops users list` shows them")
    return found[0]


def add(ctx: Context, tools: LoginTools, organization_id: str | None, new: NewMember) -> Invited:
    """Make somebody a member and invite them by e-mail. Whether their address was known elsewhere is not told.

    Raises Conflict where they are a member, InvalidInput, and Forbidden for a role or projects beyond one's own.
    """
    bound = _bound(ctx, organization_id)
    email = normal_email(new.email)
    with ctx.storage.ledger(bound) as ledger:
        _check(ctx.principal, ledger.people, new)
        if any(one.email == email for one in ledger.people.members()):
            raise Conflict(f"{email} is a member already")
    user = _user_of(ctx, email)
    membership = Membership(
        organization_id=bound,
        user_id=user.user_id,
        email=email,
        name=new.name,
        role=new.role,
        projects=new.projects,
        teams=new.teams,
        created_at=ctx.clock(),
        created_by=actor_of(ctx.principal),
    )
    with ctx.storage.ledger(bound) as ledger:
        _check(ctx.principal, ledger.people, new)
        ledger.people.add_member(membership)
        ledger.audit.add(ctx.event(Action.USER_ADDED, user.user_id, detail={"after": _facts(membership)}))
    return _invite(ctx, tools, membership, user)


def change(ctx: Context, organization_id: str | None, user_id: str, wanted: MemberChange) -> Membership:
    """Change what a member is. Raises NotFound, InvalidInput, Forbidden, and Conflict for the last admin."""
    bound = _bound(ctx, organization_id)
    if wanted.disabled is not None:
        authorize_owner(ctx.principal)
    with ctx.storage.ledger(bound) as ledger:
        people = ledger.people
        admins = people.hold_admins()
        old = _member(people, user_id)
        new = replace(
            old,
            name=old.name if wanted.name is None else wanted.name,
            role=old.role if wanted.role is None else wanted.role,
            projects=old.projects if wanted.projects is None else wanted.projects,
            teams=old.teams if wanted.teams is None else wanted.teams,
        )
        if new != old:
            _check(ctx.principal, people, new)
            if admins == [user_id] and (new.role, new.projects, new.teams) != ("admin", (), ()):
                _keep_last_admin(ctx.principal)
            people.update_member(new)
            detail = {"before": _facts(old), "after": _facts(new)}
            ledger.audit.add(ctx.event(Action.USER_CHANGED, user_id, detail=detail))
    if wanted.disabled is not None:
        _set_disabled(ctx, bound, user_id, disabled=wanted.disabled)
    return new


def remove(ctx: Context, organization_id: str | None, user_id: str) -> Membership:
    """Take a member out; their sessions here end. Keys that they made stay. Raises NotFound, Conflict."""
    bound = _bound(ctx, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        admins = ledger.people.hold_admins()
        old = _member(ledger.people, user_id)
        if admins == [user_id]:
            _keep_last_admin(ctx.principal)
        ledger.people.remove_member(user_id, ctx.clock())
        ledger.audit.add(ctx.event(Action.USER_REMOVED, user_id, detail={"before": _facts(old)}))
    return old


def _bound(ctx: Context, organization_id: str | None) -> str:
    bound = authorize(ctx.principal, ADMIN, organization_id)
    if bound is None:
        raise invalid("organization_id", "missing_required_field", "organization_id is required")
    return bound


def _member(people: PeopleRepository, user_id: str) -> Membership:
    found = people.member(user_id)
    if found is None:
        raise NotFound(f"No user {user_id[:64]!r}")
    return found


def _keep_last_admin(principal: Principal) -> None:
    """An organisation keeps somebody who can let others in; the installation's owner can do so from outside."""
    if not principal.owner:
        raise Conflict("this is the last admin of the organisation; make another member admin first")


def _check(principal: Principal, people: PeopleRepository, wanted: NewMember | Membership) -> None:
    """Raises InvalidInput with every fault, Forbidden for what the granter does not hold."""
    projects, teams = wanted.projects, wanted.teams
    problems = []
    if fault := text_fault(wanted.name):
        problems.append(Problem("name", fault[0], f"name {fault[1]}"))
    for project in projects:
        if not project or (fault := text_fault(project)):
            problems.append(Problem("projects", "invalid_value", f"{project[:40]!r} cannot be a project's id"))
    if len(projects) > MAX_BOUND or len(teams) > MAX_BOUND:
        problems.append(Problem("projects", "too_many", f"at most {MAX_BOUND} projects and {MAX_BOUND} teams"))
    known = people.teams()
    problems += _unknown_teams(teams, known)
    role: Role | None = None
    try:
        role = find_role(wanted.role, people.roles())
    except InvalidInput as error:
        problems.extend(error.problems)
    if problems or role is None:
        raise InvalidInput(problems)
    _check_grant(principal, role)
    _check_reach(principal, projects, teams, people.projects() if teams else ())


def _unknown_teams(teams: Sequence[str], known: Sequence[Team]) -> list[Problem]:
    ids = {team.team_id for team in known}
    names = ", ".join(sorted(ids)[:20]) or "none"
    return [
        Problem("teams", "unknown_team", f"{team[:40]!r} is no team here; known are {names}")
        for team in teams
        if team not in ids
    ]


def _check_grant(principal: Principal, role: Role) -> None:
    for permission in sorted(role.permissions):
        if not principal.owner and not principal.may(permission):
            raise Forbidden(permission, f"nobody can give what they do not hold: the role {role.name} has it")


def _check_reach(principal: Principal, projects: Sequence[str], teams: Sequence[str], known: Sequence[Project]) -> None:
    """Whoever is bound to some projects can let others see no more than those."""
    scope = principal.scope_of(ADMIN)
    if principal.owner or scope.is_everything:
        return
    reached = frozenset(projects) | {one.project_id for one in known if one.team_id in teams}
    asked = Scope((("project", reached),)) if projects or teams else None
    if asked is None or asked.within(scope).only != asked.only or not reached:
        raise Forbidden(
            ADMIN, "nobody can give what they do not hold: you are bound to some projects, they must be too"
        )


def _user_of(ctx: Context, email: str) -> User:
    """The account with an address, made where there is none."""
    try:
        with ctx.storage.installation() as installation:
            found = installation.credentials.user_by_email(email)
            if found is None:
                found = User(random_identity(ctx.random_bits, "usr"), email, ctx.clock())
                installation.credentials.add_user(found)
            return found
    except Conflict:  # made by somebody else in this very moment
        with ctx.storage.installation() as installation:
            found = installation.credentials.user_by_email(email)
        if found is None:
            raise
        return found


def _invite(ctx: Context, tools: LoginTools, membership: Membership, user: User) -> Invited:
    """Tell a new member: with a link to set a password, or where they have one, that they belong to one more."""
    mailer = tools.mailer
    if mailer is None:
        if not ctx.principal.owner or user.password_hash is not None:
            return Invited(membership, "not_sent")
        with ctx.storage.installation() as installation:
            secret = _new_link(installation, ctx, user)
        return Invited(membership, "not_sent", link_of(tools.public_url, secret))
    own = mailer

    def send() -> None:
        with ctx.storage.installation() as installation:
            if installation.attempts.claim(account_holder(user.email), LETTERS_TO_ACCOUNT, ctx.clock()):
                return
            secret = "" if user.password_hash is not None else _new_link(installation, ctx, user)
        kind = LetterKind.INVITE if secret else LetterKind.JOINED
        own.send(Letter(kind, user.email, tools.public_url, secret, INVITE_TIME, membership.organization_id))

    tools.post(send)
    return Invited(membership, "sent")


def _new_link(installation: Installation, ctx: Context, user: User) -> str:
    secret, now = random_secret(ctx.random_bits), ctx.clock()
    hashed = sha256(secret.encode()).digest()
    installation.credentials.add_one_time_token(
        OneTimeToken(hashed, user.user_id, Purpose.INVITE, now, now + INVITE_TIME)
    )
    return secret


def _set_disabled(ctx: Context, organization_id: str, user_id: str, *, disabled: bool) -> None:
    """Shut an account, or open it: it is all organisations', so only the owner gets here."""
    with ctx.storage.installation() as installation:
        user = installation.credentials.user(user_id)
        if user is None or (user.disabled_at is not None) == disabled:
            return
        installation.credentials.set_disabled(user_id, ctx.clock() if disabled else None)
        if disabled:
            installation.credentials.revoke_sessions_of(user_id, ctx.clock())
        detail = {"before": {"disabled": not disabled}, "after": {"disabled": disabled}}
        installation.audit.add(ctx.event(Action.USER_CHANGED, user_id, organization_id=organization_id, detail=detail))


def _facts(membership: Membership) -> dict[str, Any]:
    """What is audited of a member: what they are, not who."""
    return {"role": membership.role, "projects": list(membership.projects), "teams": list(membership.teams)}
