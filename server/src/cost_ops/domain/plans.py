"""Plans: how many requests an organisation may make, and which features it has. As the FAQ lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem

HOUR_SECONDS = 3600
BURST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests an hour, requests a minute (`burst`) and requests at once (`concurrency`, in each process); None: any.

    Hours and minutes are those of the UTC clock.
    """

    requests_per_hour: int | None = None
    burst: int | None = None
    concurrency: int | None = None

    @property
    def unlimited(self) -> bool:
        """Whether nothing is ever refused."""
        return self.requests_per_hour is None and self.burst is None and self.concurrency is None

    def to_json(self) -> dict[str, int | None]:
        """The three limits by name."""
        return {
            "requests_per_hour": self.requests_per_hour,
            "burst": self.burst,
            "concurrency": self.concurrency,
        }


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's limits and features."""

    name: str
    limits: Limits
    features: frozenset[str]


PLANS = {
    plan.name: plan
    for plan in (
        Plan("free", Limits(100, 20, 5), frozenset()),
        Plan("developer", Limits(1_000, 100, 20), frozenset({"exports"})),
        Plan("professional", Limits(10_000, 1_000, 50), frozenset({"exports", "forecasting", "reports", "rbac"})),
        Plan("enterprise", UNLIMITED, frozenset({"exports", "forecasting", "reports", "rbac", "sso"})),
    )
}
"""Name → plan, the smallest first. A self-hosted installation starts everyone on `enterprise`."""

DEFAULT_PLAN = "enterprise"

FEATURE_OF = {
    "export:read": "exports",
    "forecast:read": "forecasting",
    "reports:read": "reports",
    "reports:write": "reports",
}
"""Permission → the feature that the plan must have for it."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What an organisation has: its plan, and limits of its own that go before the plan's."""

    plan: str = DEFAULT_PLAN
    own: Limits | None = None

    @property
    def limits(self) -> Limits:
        """The limits that hold: the organisation's own, else its plan's."""
        return self.own if self.own is not None else PLANS[self.plan].limits

    def has(self, feature: str | None) -> bool:
        """Whether the plan has a feature (None: no feature is needed)."""
        return feature is None or feature in PLANS[self.plan].features


DEFAULT_QUOTA = Quota()


def plan_with(feature: str) -> str:
    """The smallest plan that has a feature."""
    return next(plan.name for plan in PLANS.values() if feature in plan.features)


def changed_quota(old: Quota, plan: str | None, limits: Mapping[str, Any] | None, *, clear: bool = False) -> Quota:
    """A quota with another plan, or limits of its own; `clear` goes back to the plan's. Raises InvalidInput."""
    problems = []
    if plan is not None and plan not in PLANS:
        problems.append(Problem("plan", "unknown_plan", f"{plan[:40]!r} is no plan; known are {', '.join(PLANS)}"))
    for name, value in (limits or {}).items():
        if name not in Limits.__dataclass_fields__:
            known = ", ".join(Limits.__dataclass_fields__)
            problems.append(Problem(f"limits.{name[:40]}", "unknown_field", f"known limits are {known}"))
        elif value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31):
            problems.append(Problem(f"limits.{name}", "out_of_range", f"limits.{name} must be a whole number above 0"))
    if problems:
        raise InvalidInput(problems)
    new = replace(old, plan=plan or old.plan)
    if clear:
        return replace(new, own=None)
    return new if not limits else replace(new, own=replace(new.own or PLANS[new.plan].limits, **limits))
