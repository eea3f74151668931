"""Why something is allowed or refused, in JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from cost_ops.domain.scopes import Scope, Values
from cost_ops.services.explain_access import ExplainedAccess


class AskerView(Struct):
    """Who it is about. `role` is null for a key, `key_id` for a person; the owner has neither."""

    name: str
    organization_id: str | None
    key_id: str | None
    user_id: str | None
    role: str | None
    plan: str
    owner: bool


class ScopeView(Struct):
    """A part of the usage: all of `only` and none of `never` hold; `text` says it in words."""

    everything: bool
    only: dict[str, list[str]]
    never: dict[str, list[str]]
    text: str


class DecisionStepView(Struct):
    """One thing that was looked at: what it is, what it said (allows, denies, passes), and why."""

    what: str
    verdict: str
    why: str


class ExplainedAccessView(Struct):
    """The answer with its reasons."""

    permission: str
    allowed: bool
    reason: str
    who: AskerView
    at: datetime
    address: str | None
    usage: Annotated[ScopeView, Meta(description="the part of the usage for which it holds")]
    asked: Annotated[dict[str, str], Meta(description="the usage asked about: project, tag:KEY")]
    covered: Annotated[bool | None, Meta(description="whether that usage lies inside; null where none was named")]
    steps: list[DecisionStepView]
    to_change: Annotated[list[str], Meta(description="what would have to change for it to be allowed")]


class ExplainedAccessAnswer(Struct):
    """Why something is allowed or refused."""

    data: ExplainedAccessView


def explained_access_view(found: ExplainedAccess) -> ExplainedAccessView:
    """The answer in JSON."""
    who, question, decision = found.principal, found.question, found.decision
    asked = {f"tag:{key}": value for key, value in question.tags.items()}
    if question.project is not None:
        asked["project"] = question.project
    return ExplainedAccessView(
        permission=question.permission,
        allowed=found.allowed,
        reason=found.reason,
        who=AskerView(
            name=found.name,
            organization_id=who.organization_id,
            key_id=who.key_id,
            user_id=who.user_id,
            role=who.role,
            plan=who.quota.plan,
            owner=who.owner,
        ),
        at=found.at,
        address=question.address,
        usage=_scope_view(decision.scope),
        asked=asked,
        covered=found.covered,
        steps=[DecisionStepView(step.what, step.verdict, step.why) for step in decision.steps],
        to_change=list(found.remedies),
    )


def _scope_view(scope: Scope) -> ScopeView:
    return ScopeView(scope.is_everything, _listed(scope.only), _listed(scope.never), str(scope))


def _listed(values: Values) -> dict[str, list[str]]:
    return {dimension: sorted(found) for dimension, found in values}
