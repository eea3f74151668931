"""Projects and teams of an organisation: declared ones, and projects that usage has named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cost_ops.domain.access import ADMIN, authorize, check_whole
from cost_ops.domain.audit import Action
from cost_ops.domain.before_after import before_after
from cost_ops.domain.errors import Conflict, InvalidInput, NotFound, Problem, invalid
from cost_ops.domain.text import text_fault
from cost_ops.domain.users import Project, Team
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project: as it was declared (None: usage names it, nobody declared it), and whether usage names it."""

    project_id: str
    declared: Project | None
    used: bool

    @property
    def archived(self) -> bool:
        """Whether it is put aside."""
        return self.declared is not None and self.declared.archived_at is not None


@dataclass(frozen=True, slots=True)
class KnownTeam:
    """A team, its projects, and how many members belong to it."""

    team: Team
    projects: tuple[str, ...]
    members: int


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """What is to be put in place of a project's own; None leaves it. `team_id` empty: of no team."""

    name: str | None = None
    team_id: str | None = None
    archived: bool | None = None


def list_projects(ctx: Context, organization_id: str) -> list[KnownProject]:
    """Declared projects and those that usage names, by id."""
    with ctx.storage.ledger(_bound(ctx, organization_id)) as ledger:
        return _known(ledger)


def get_project(ctx: Context, organization_id: str, project_id: str) -> KnownProject:
    """One of them. Raises NotFound."""
    return _find(list_projects(ctx, organization_id), project_id)


def add_project(
    ctx: Context, organization_id: str, project_id: str, *, name: str | None = None, team_id: str | None = None
) -> KnownProject:
    """Declare a project, usage of it or not. Raises InvalidInput, and Conflict where it is declared."""
    bound = _bound(ctx, organization_id)
    _check_texts(project_id=project_id, name=name or project_id)
    with ctx.storage.ledger(bound) as ledger:
        if any(project.project_id == project_id for project in ledger.people.projects()):
            raise Conflict(f"there is a project {project_id[:64]!r} already")
        new = Project(project_id, name or project_id, team_id or None, ctx.clock())
        return _saved(ctx, ledger, None, new)


def change_project(ctx: Context, organization_id: str, project_id: str, change: ProjectChange) -> KnownProject:
    """Change a project; one that only usage names is declared by it. Raises NotFound, InvalidInput."""
    bound = _bound(ctx, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        known = _find(_known(ledger), project_id)
        now = ctx.clock()
        old = known.declared
        kept = old or Project(project_id, project_id, None, now)
        name = kept.name if change.name is None else change.name
        _check_texts(name=name)
        team_id = kept.team_id if change.team_id is None else change.team_id or None
        archived_at = kept.archived_at
        if change.archived is not None:
            archived_at = (archived_at or now) if change.archived else None
        new = replace(kept, name=name, team_id=team_id, archived_at=archived_at)
        return known if new == old else _saved(ctx, ledger, old, new)


def list_teams(ctx: Context, organization_id: str) -> list[KnownTeam]:
    """The organisation's teams by id."""
    with ctx.storage.ledger(_bound(ctx, organization_id)) as ledger:
        return _known_teams(ledger)


def get_team(ctx: Context, organization_id: str, team_id: str) -> KnownTeam:
    """One of them. Raises NotFound."""
    return _find_team(list_teams(ctx, organization_id), team_id)


def add_team(ctx: Context, organization_id: str, team_id: str, name: str | None = None) -> KnownTeam:
    """A new team. Raises InvalidInput, and Conflict where there is one."""
    bound = _bound(ctx, organization_id)
    _check_texts(team_id=team_id, name=name or team_id)
    with ctx.storage.ledger(bound) as ledger:
        if any(team.team_id == team_id for team in ledger.people.teams()):
            raise Conflict(f"there is a team {team_id[:64]!r} already")
        team = Team(team_id, name or team_id, ctx.clock())
        _save_team(ctx, ledger, None, team)
    return KnownTeam(team, (), 0)


def change_team(ctx: Context, organization_id: str, team_id: str, name: str) -> KnownTeam:
    """Give a team another name. Raises NotFound, InvalidInput."""
    bound = _bound(ctx, organization_id)
    _check_texts(name=name)
    with ctx.storage.ledger(bound) as ledger:
        known = _find_team(_known_teams(ledger), team_id)
        new = replace(known.team, name=name)
        _save_team(ctx, ledger, known.team, new)
    return replace(known, team=new)


def remove_team(ctx: Context, organization_id: str, team_id: str) -> None:
    """Take a team out. Raises NotFound, and Conflict while members or projects belong to it."""
    bound = _bound(ctx, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        known = _find_team(_known_teams(ledger), team_id)
        ledger.people.remove_team(team_id)
        detail = before_after({"name": known.team.name}, None)
        ledger.audit.add(ctx.event(Action.TEAM_REMOVED, team_id, organization_id=bound, detail=detail))


def _bound(ctx: Context, organization_id: str) -> str:
    bound = authorize(ctx.principal, ADMIN, organization_id)
    check_whole(ctx.principal, ADMIN)
    return bound or organization_id


def _check_texts(**texts: str) -> None:
    problems = []
    for field, text in texts.items():
        if fault := text_fault(text) if text.strip() else ("empty", "must not be empty"):
            problems.append(Problem(field, fault[0], f"{field} {fault[1]}"))
    if problems:
        raise InvalidInput(problems)


def _known(ledger: Ledger) -> list[KnownProject]:
    declared = {project.project_id: project for project in ledger.people.projects()}
    used = set(ledger.project_ids())
    return [KnownProject(one, declared.get(one), one in used) for one in sorted(declared.keys() | used)]


def _find(projects: Iterable[KnownProject], project_id: str) -> KnownProject:
    found = next((project for project in projects if project.project_id == project_id), None)
    if found is None:
        raise NotFound(f"No project {project_id[:64]!r}")
    return found


def _saved(ctx: Context, ledger: Ledger, old: Project | None, new: Project) -> KnownProject:
    teams = [team.team_id for team in ledger.people.teams()]
    if new.team_id is not None and new.team_id not in teams:
        known = ", ".join(teams) or "none"
        raise invalid("team_id", "unknown_team", f"there is no team {new.team_id[:60]!r}; known are {known}")
    ledger.people.save_project(new)
    detail = before_after(None if old is None else _described(old), _described(new))
    bound = ledger.organization_id
    ledger.audit.add(ctx.event(Action.PROJECT_SAVED, new.project_id, organization_id=bound, detail=detail))
    return KnownProject(new.project_id, new, new.project_id in ledger.project_ids())


def _described(project: Project) -> dict[str, object]:
    return {"name": project.name, "team_id": project.team_id, "archived_at": project.archived_at}


def _known_teams(ledger: Ledger) -> list[KnownTeam]:
    projects, members = ledger.people.projects(), ledger.people.members()
    return [
        KnownTeam(
            team,
            tuple(project.project_id for project in projects if project.team_id == team.team_id),
            sum(team.team_id in member.teams for member in members),
        )
        for team in ledger.people.teams()
    ]


def _find_team(teams: Iterable[KnownTeam], team_id: str) -> KnownTeam:
    found = next((known for known in teams if known.team.team_id == team_id), None)
    if found is None:
        raise NotFound(f"No team {team_id[:64]!r}")
    return found


def _save_team(ctx: Context, ledger: Ledger, old: Team | None, new: Team) -> None:
    if new == old:
        return
    ledger.people.save_team(new)
    detail = before_after(None if old is None else {"name": old.name}, {"name": new.name})
    bound = ledger.organization_id
    ledger.audit.add(ctx.event(Action.TEAM_SAVED, new.team_id, organization_id=bound, detail=detail))
