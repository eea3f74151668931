"""Usage held against scopes: which records lie inside, and where one that names no project belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from cost_ops.domain.access import Principal
from cost_ops.domain.errors import Forbidden
from cost_ops.domain.scopes import Scope
from cost_ops.domain.usage import UsageSubmission


class Labelled(Protocol):
    """A record or a submission: what scopes look at."""

    @property
    def project_id(self) -> str | None:
        """Its project."""

    @property
    def tags(self) -> Mapping[str, str] | None:
        """Its tags."""


def value_of(usage: Labelled, dimension: str) -> str | None:
    """A record's value of `project` or `tag:KEY`."""
    if dimension == "project":
        return usage.project_id
    return (usage.tags or {}).get(dimension.removeprefix("tag:"))


def covers(scope: Scope, usage: Labelled) -> bool:
    """Whether a record lies inside."""
    return scope.is_everything or scope.covers(lambda dimension: value_of(usage, dimension))


def check_covered(principal: Principal, permission: str, usage: Labelled) -> None:
    """Raises Forbidden, saying by what, where a record lies outside of what the principal may write."""
    scope = principal.scope_of(permission)
    dimension = scope.outside_by(lambda name: value_of(usage, name))
    if dimension is None:
        return
    value = value_of(usage, dimension)
    what = f"{dimension} {value[:64]!r} is" if value else f"usage without a {dimension} is"
    raise Forbidden(permission, f"{what} outside what this credential may write: it is bound to {scope}")


def placed(principal: Principal, submission: UsageSubmission) -> UsageSubmission:
    """The submission as the principal may record it: in the one project that it is bound to, where none is named.

    Raises Forbidden where it lies outside.
    """
    scope = principal.scope_of("usage:write")
    if submission.project_id is None and scope.single_project is not None:
        submission = replace(submission, project_id=scope.single_project)
    check_covered(principal, "usage:write", submission)
    return submission
