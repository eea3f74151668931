"""What is asked of budgets before a call is made: read from a document, with every problem named.

A request says what the call will be (provider, model, project and so on) and how much it may cost: an `amount`, or
tokens, which are priced by the price book. What it says of the call decides which budgets it counts for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from cost_ops.domain.budgets import Budget
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.identity import payload_hash
from cost_ops.domain.leases import MAX_TTL, Lease
from cost_ops.domain.money import MAX_AMOUNT_PER_RECORD_E10, e10_from_decimal, is_currency, parse_decimal
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import TOKEN_FIELDS, read_fields
from cost_ops.domain.text import clean_tags, text_fault
from cost_ops.domain.usage import UsageSubmission

NAMES = ("provider", "model_id", "project_id", "user_id", "team_id")
OWN_FIELDS = (
    "organization_id", "amount", "currency", "max_output_tokens", "ttl_seconds", "idempotency_key", "tags", *NAMES,
)  # fmt: skip
_COUNTED = frozenset({*TOKEN_FIELDS, "service_tier", "processing", "region", "counting"})
FIELDS = (*OWN_FIELDS, *sorted(_COUNTED))
"""What a request may hold."""


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """A request for a lease: an amount with its currency, or usage to be priced. `usage` names the call.

    `budget_id`: it must count for this budget, whose scope fills in what the request leaves open.
    """

    organization_id: str
    usage: Mapping[str, Any]
    ttl: timedelta
    amount_e10: int | None = None
    currency: str | None = None
    submission: UsageSubmission | None = None
    key: str | None = None
    request_hash: int = 0
    budget_id: str | None = None

    @property
    def project_id(self) -> str | None:
        """The call's project."""
        return self.usage.get("project_id")

    @property
    def tags(self) -> Mapping[str, str] | None:
        """The call's tags."""
        return self.usage.get("tags")

    def value_of(self, dimension: str) -> str | None:
        """The call's value of a dimension of budgets."""
        if dimension.startswith("tag:"):
            return (self.usage.get("tags") or {}).get(dimension[4:])
        return self.usage.get(_FIELD_OF[dimension])

    def filled(self, values: Mapping[str, str]) -> LeaseRequest:
        """The request with values (by dimension) where it has none."""
        usage = dict(self.usage)
        for dimension, value in values.items():
            if self.value_of(dimension) is None:
                if dimension.startswith("tag:"):
                    usage["tags"] = {**(usage.get("tags") or {}), dimension[4:]: value}
                else:
                    usage[_FIELD_OF[dimension]] = value
        return replace(self, usage=usage)


_FIELD_OF = {
    "provider": "provider",
    "model": "model_id",
    "project": "project_id",
    "user": "user_id",
    "team": "team_id",
    "api_key": "api_key_id",
}


def read_lease_request(
    document: Any, intake: Intake, *, default_ttl: timedelta, budget_id: str | None = None
) -> LeaseRequest:
    """A request from a JSON object. Raises InvalidInput with every problem."""
    if not isinstance(document, Mapping):
        raise InvalidInput([Problem("", "invalid_type", "the body must be a JSON object: a request for a lease")])
    given = {name: value for name, value in document.items() if value is not None}
    problems = [
        Problem(str(name)[:80], "unknown_field", f"{str(name)[:80]!r} is no field of a reservation")
        for name in given
        if name not in FIELDS
    ]
    organization_id = given.get("organization_id", intake.organization_id)
    if not isinstance(organization_id, str) or not organization_id:
        problems.append(Problem("organization_id", "missing_required_field", "organization_id is required"))
    usage = _usage(given, intake, problems)
    amount_e10 = _amount(given, problems)
    currency = given.get("currency", "USD" if amount_e10 is not None else None)
    if currency is not None and (not isinstance(currency, str) or not is_currency(currency)):
        problems.append(Problem("currency", "invalid_value", "currency must be an ISO 4217 code such as USD"))
    ttl = _ttl(given.get("ttl_seconds"), default_ttl, problems)
    key = given.get("idempotency_key", intake.header_key)
    if key is not None and (not isinstance(key, str) or not key or text_fault(key)):
        problems.append(Problem("idempotency_key", "invalid_value", "idempotency_key must be a text of 1 to 256"))
    counted = {name: value for name, value in given.items() if name in _COUNTED}
    if "max_output_tokens" in given:
        counted["output_tokens"] = given["max_output_tokens"]
    if amount_e10 is None and "amount" not in given and not counted:
        message = "amount, or input_tokens and max_output_tokens, is required: how much may the call cost?"
        problems.append(Problem("amount", "missing_required_field", message))
    if amount_e10 is not None and counted:
        problems.append(Problem("amount", "contradiction", "give either amount or tokens, not both"))
    submission = None
    if counted and amount_e10 is None:
        submission = _submission(given, counted, str(organization_id), intake, problems)
    if problems:
        raise InvalidInput(problems)
    canonical = f"{sorted(usage.items(), key=lambda one: one[0])}\x1f{amount_e10}\x1f{currency}\x1f{counted}\x1f{ttl}"
    return LeaseRequest(
        str(organization_id),
        usage,
        ttl,
        amount_e10,
        currency if amount_e10 is not None else None,
        submission,
        key,
        payload_hash(canonical.encode("utf-8", "surrogatepass")),
        budget_id,
    )


def _usage(given: Mapping[str, Any], intake: Intake, problems: list[Problem]) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    for name in NAMES:
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip():
            problems.append(Problem(name, "invalid_type", f"{name} must be a text that is not empty"))
        elif fault := text_fault(value):
            problems.append(Problem(name, fault[0], f"{name} {fault[1]}"))
        else:
            usage[name] = intake.names.canonical(value) if name == "provider" else value.strip()
    if intake.api_key_id is not None:
        usage["api_key_id"] = intake.api_key_id
    if given.get("tags") and (tags := clean_tags(given["tags"], problems)):
        usage["tags"] = tags
    return usage


def _amount(given: Mapping[str, Any], problems: list[Problem]) -> int | None:
    if "amount" not in given:
        return None
    try:
        amount = parse_decimal(given["amount"])
    except ValueError:
        problems.append(
            Problem("amount", "invalid_type", f"amount must be a number, got {str(given['amount'])[:40]!r}")
        )
        return None
    limit = Decimal(MAX_AMOUNT_PER_RECORD_E10).scaleb(-10)
    if not 0 < amount <= limit or not e10_from_decimal(amount):
        message = f"amount must be above 0 and at most {limit:,f}, got {str(given['amount'])[:40]}"
        problems.append(Problem("amount", "out_of_range", message))
        return None
    return e10_from_decimal(amount)


def _ttl(value: Any, default: timedelta, problems: list[Problem]) -> timedelta:
    most = int(MAX_TTL.total_seconds())
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        message = f"ttl_seconds must be a whole number from 1 to {most}"
        problems.append(Problem("ttl_seconds", "out_of_range", message))
        return default
    return timedelta(seconds=value)


def _submission(
    given: Mapping[str, Any],
    counted: Mapping[str, Any],
    organization_id: str,
    intake: Intake,
    problems: list[Problem],
) -> UsageSubmission | None:
    """The call as usage, to be priced. Its output may be left out: then nothing is said about it."""
    if any(name not in given for name in ("provider", "model_id")):
        for name in ("provider", "model_id"):
            if name not in given:
                message = f"{name} is required to price tokens; or give an amount"
                problems.append(Problem(name, "missing_required_field", message))
        return None
    document = {
        "organization_id": organization_id,
        "provider": given["provider"],
        "model_id": given["model_id"],
        "input_tokens": 0,
        "output_tokens": 0,
        **counted,
    }
    sent, faults = read_fields(document)
    try:
        return build(sent, replace(intake, header_key=None), faults)
    except InvalidInput as error:
        known = {problem.field for problem in problems}
        problems.extend(problem for problem in error.problems if problem.field not in known)
        return None


def for_budget(request: LeaseRequest, budget: Budget) -> LeaseRequest:
    """The request as usage that counts for a budget. Raises InvalidInput where it says that it is of something else."""
    single = {dimension: next(iter(values)) for dimension, values in budget.scope.only if len(values) == 1}
    filled = request.filled(single)
    outside = budget.scope.outside_by(filled.value_of)
    if outside is not None:
        allowed = ", ".join(sorted(dict(budget.scope.only)[outside]))[:200]
        message = f"budget {budget.name!r} is about {outside} {allowed}; say which the call is of, or another budget"
        raise invalid(outside, "outside_budget", message)
    return filled


def settled_fields(document: Mapping[str, Any], lease: Lease) -> dict[str, Any]:
    """The fields of the usage record that settles a lease: its own, and those of the lease where it has none."""
    filled = {name: lease.usage[name] for name in (*NAMES, "tags") if lease.usage.get(name) is not None}
    own = {n: v for n, v in document.items() if v is not None and n not in ("lease_id", "idempotency_key")}
    return {"organization_id": lease.organization_id, **filled, **own}


def settled_intake(lease: Lease, intake: Intake) -> Intake:
    """How that record is taken in: its key is the lease's id, so settling twice records once."""
    return replace(intake, header_key=lease.lease_id, api_key_id=lease.usage.get("api_key_id") or intake.api_key_id)
