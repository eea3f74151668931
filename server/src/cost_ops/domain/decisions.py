"""May this principal do this, now and from here? One pure function, with every step that led to its answer.

The order: the plan's features, then roles and keys, then policies. A policy that denies goes before everything that
allows; a policy that allows adds to what roles and keys grant, never beyond the projects that a principal is bound to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from cost_ops.domain.access import ADMIN, PERMISSIONS, Principal
from cost_ops.domain.errors import Forbidden
from cost_ops.domain.plans import FEATURE_OF, Quota, plan_with
from cost_ops.domain.policies import Effect, Policy
from cost_ops.domain.scopes import EVERYTHING, NOWHERE, Scope

DECIDED = (*PERMISSIONS, ADMIN)
_FEATURES = frozenset(FEATURE_OF.values())
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be decided: a permission, at an instant, from an address."""

    permission: str
    at: datetime
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: what it is, what it said (`allows`, `denies`, `passes`), and why."""

    what: str
    verdict: str
    why: str

    def to_json(self) -> dict[str, str]:
        """The step by name."""
        return {"what": self.what, "verdict": self.verdict, "why": self.why}


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `scope` is the part of the usage for which it holds (nothing where it is refused).

    `details` go into a refusal: `policy`, or `required_plan` and `feature`.
    """

    allowed: bool
    reason: str
    scope: Scope
    steps: tuple[Step, ...]
    details: tuple[tuple[str, Any], ...] = ()


def decide(principal: Principal, asked: Asked) -> Decision:
    """Whether `asked` is allowed, for which part of the usage, and why."""
    return _decide(principal, asked.permission, _failing(principal, asked.at, asked.address))


def refusal(principal: Principal, asked: Asked) -> Forbidden:
    """The error for a principal that lacks a permission; where it is for the plan or a policy, it says which."""
    decision = decide(principal, asked)
    return Forbidden(asked.permission, decision.reason if decision.details else None, **dict(decision.details))


def check_feature(quota: Quota, feature: str, permission: str) -> None:
    """Raises Forbidden, naming the plan that has it, where a plan lacks a feature."""
    if not quota.has(feature):
        raise Forbidden(permission, _lacking(quota, feature), **dict(_plan_details(feature)))


def effective(principal: Principal, at: datetime, address: str | None) -> Principal:
    """The principal with the permissions that hold at an instant and from an address, its policies worked in.

    Without policies, and with a plan that has every feature, it is the principal itself.
    """
    if not principal.policies and all(map(principal.quota.has, _FEATURES)):
        return principal
    return _effective(principal, tuple(failing is None for failing in _failing(principal, at, address)))


def _failing(principal: Principal, at: datetime, address: str | None) -> list[str | None]:
    """For each policy None where time and address fit, otherwise what does not."""
    return [policy.conditions.hold(at, address) for policy in principal.policies]


@lru_cache(maxsize=_REMEMBERED)
def _effective(principal: Principal, holding: tuple[bool, ...]) -> Principal:
    """By principal and which of its policies hold: few enough to be remembered, where hardly an instant comes twice."""
    failing = [None if holds else "" for holds in holding]
    decided = {name: _decide(principal, name, failing) for name in DECIDED}
    return replace(
        principal,
        permissions=frozenset(name for name, decision in decided.items() if decision.allowed),
        scopes=tuple((name, d.scope) for name, d in decided.items() if d.allowed and d.scope != principal.scope),
    )


def _decide(principal: Principal, permission: str, failing: Sequence[str | None]) -> Decision:
    steps: list[Step] = []
    feature = FEATURE_OF.get(permission)
    if not principal.quota.has(feature):
        why = _lacking(principal.quota, feature or "")
        return _refused(why, [Step("plan", "denies", why)], _plan_details(feature or ""))
    if feature is not None:
        steps.append(Step("plan", "passes", f"the plan {principal.quota.plan} has {feature}"))
    granted = _grants(principal, permission, steps)
    concerned = [
        (policy, why) for policy, why in zip(principal.policies, failing, strict=True) if policy.concerns(permission)
    ]
    never = EVERYTHING
    for policy in _holding(concerned, Effect.DENY, steps):
        if policy.conditions.data.is_everything:
            return _refused(f"the policy {policy.name!r} denies it", steps, (("policy", policy.name),))
        never = never.within(policy.conditions.data.complement())
    allowing = _holding(concerned, Effect.ALLOW, steps)
    if granted is None and allowing:
        granted = _joined(allowing, steps).within(principal.scope)
    if granted is None:
        return _refused(f"nothing grants {permission}", steps)
    scope = granted.within(never)
    where = "" if scope.is_everything else f", for the usage of {scope}"
    return Decision(True, f"{permission} is allowed{where}", scope, tuple(steps))


def _lacking(quota: Quota, feature: str) -> str:
    return f"the plan {quota.plan} has no {feature}; {plan_with(feature)} has"


def _plan_details(feature: str) -> tuple[tuple[str, Any], ...]:
    return (("required_plan", plan_with(feature)), ("feature", feature))


def _refused(why: str, steps: Sequence[Step], details: tuple[tuple[str, Any], ...] = ()) -> Decision:
    return Decision(False, why, NOWHERE, tuple(steps), details)


def _grants(principal: Principal, permission: str, steps: list[Step]) -> Scope | None:
    """What role or key grants by itself."""
    source = f"role {principal.role}" if principal.role else f"key_{principal.key_id}" if principal.key_id else "owner"
    if not principal.may(permission):
        steps.append(Step(source, "passes", f"it does not hold {permission}"))
        return None
    scope = principal.scope_of(permission)
    bound = "" if scope.is_everything else f", bound to {scope}"
    steps.append(Step(source, "allows", f"it holds {permission}{bound}"))
    return scope


def _holding(concerned: Sequence[tuple[Policy, str | None]], effect: Effect, steps: list[Step]) -> list[Policy]:
    """The policies with an effect whose time and address fit; each leaves a step."""
    found = []
    for policy, failing in concerned:
        if policy.effect is not effect:
            continue
        what = f"policy {policy.name}"
        if failing is not None:
            steps.append(Step(what, "passes", failing))
            continue
        found.append(policy)
        data = policy.conditions.data
        verdict = "denies" if effect is Effect.DENY else "allows"
        steps.append(Step(what, verdict, "always" if data.is_everything else f"the usage of {data}"))
    return found


def _joined(policies: Sequence[Policy], steps: list[Step]) -> Scope:
    """What any of the policies covers. Grants over different dimensions do not add up: the oldest one's stands."""
    oldest, *others = sorted(policies, key=lambda policy: (policy.created_at, policy.policy_id))
    whole = oldest.conditions.data
    for policy in others:
        joined = whole.joined(policy.conditions.data)
        if joined is None:
            why = f"grants by different conditions do not add up; the older {oldest.name} stands"
            steps.append(Step(f"policy {policy.name}", "passes", why))
        else:
            whole = joined
    return whole
