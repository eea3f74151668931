"""What the document cannot say: which thing a path names, which request is accepted, which routes are the owner's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cost_ops.api.schemas.telemetry import EVENT_DATA, TRACES_EXAMPLE
from tests.isolation.tenant import SHARED_MODEL, Tenant


@dataclass(frozen=True)
class Own:
    """Stands for a thing of whoever asks: its id differs from installation to installation."""

    kind: str


@dataclass(frozen=True)
class New:
    """Stands for a text of the asker's that was never used before."""

    noun: str


PATH_KINDS = {
    "usage_id": "usage",
    "price_id": "price",
    "contract_id": "contract",
    "key_id": "key",
    "number": "run",
    "review_id": "review",
    "name": "role",
    "policy_id": "policy",
    "project_id": "project",
    "team_id": "team",
    "organization_id": "organization",
    "user_id": "member",
    "session_id": "session",
    "job_id": "job",
    "budget_id": "budget",
    "lease_id": "lease",
    "alert_id": "alert",
    "webhook_id": "webhook",
    "channel_id": "channel",
    "delivery_id": "delivery",
}
"""Parameter in a path → the kind of thing that it names. A route with another one fails until it stands here."""

KINDS_UNDER = {("/api/v1/channels", "delivery_id"): "channel_delivery"}
"""Where a parameter names another kind of thing: the beginning of the path, and the parameter."""


def path_kind(path: str, name: str) -> str:
    """The kind of thing that a parameter of a path names. Raises KeyError where nobody said so."""
    under = (kind for (start, named), kind in KINDS_UNDER.items() if named == name and path.startswith(start))
    return next(under, None) or PATH_KINDS[name]


SHARED_KINDS = {"review", "job"}
"""Things of the installation: nobody's, so a stranger's id of one is no stranger's."""

SECRETS = {"refresh_token", "token"}
"""Things that are credentials themselves: whoever has one is its owner, as far as anybody can tell."""

TOUCHES = {
    "POST /api/v1/users": {"one_time_tokens"},  # the newest invitation is the one that is good
    "POST /api/v1/auth/login": {"audit_events", "audit_chains"},
    "POST /api/v1/auth/password/reset": {"audit_events", "audit_chains", "one_time_tokens"},
}
"""Routes about whoever has an e-mail address, in whichever organisations: which rows of that person they may touch."""

OWNER_ONLY = {
    "POST /api/v1/exchange-rates",
    "POST /api/v1/pricing/sync",
    "GET /api/v1/pricing/reviews",
    "GET /api/v1/pricing/reviews/{review_id}",
    "POST /api/v1/pricing/reviews/{review_id}/accept",
    "POST /api/v1/pricing/reviews/{review_id}/dismiss",
    "POST /api/v1/auth/signing-keys",
    "GET /api/v1/jobs",
    "GET /api/v1/jobs/{job_id}",
    "POST /api/v1/jobs/run",
    "POST /api/v1/jobs/{job_id}/retry",
    "POST /api/v1/organizations",
    "PATCH /api/v1/organizations/{organization_id}",
}
"""What concerns the whole installation: an organisation's admin is refused, whatever is asked for."""

ENDS_SESSIONS = {
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/password",
    "DELETE /api/v1/auth/sessions/{session_id}",
    "POST /api/v1/auth/signing-keys",
}
"""After these, whoever asked logs in again."""

COUNTS_ATTEMPTS = ("/api/v1/auth/login", "/api/v1/auth/password")
"""Paths on which only so many attempts are let through in an hour: an hour passes before each of ours."""

UNCOMPARED = {"/metrics": "counts the requests of the whole process; names no tenant"}
"""Paths whose answers are about the installation, and why nobody is told anything by that."""

TELLS_NOTHING = OWNER_ONLY | {
    "GET /health",
    "GET /reset-password",
    "GET /health/live",
    "GET /health/ready",
    "GET /live",
    "GET /metrics",
    "GET /ready",
    "GET /api/v1/exchange-rates",
    "GET /api/v1/exchange-rates/effective",
    "GET /api/v1/budgets/check",
    "GET /api/v1/budgets/{budget_id}/history",
    "POST /api/v1/budgets/preview",
    "POST /api/v1/budgets/{budget_id}/silence",
    "DELETE /api/v1/budgets/{budget_id}/silence",
    "DELETE /api/v1/webhooks/{webhook_id}",
    "DELETE /api/v1/channels/{channel_id}",
    "HEAD /api/v1/costs",
    "DELETE /api/v1/policies/{policy_id}",
    "DELETE /api/v1/auth/sessions/{session_id}",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/password",
    "POST /api/v1/auth/password/confirm",
    "POST /api/v1/auth/password/reset",
    "POST /v1/traces",
    "POST /api/v1/contracts/settle",
    "POST /api/v1/costs/reprice",
    "POST /api/v1/usage/batch",
}
"""Operations whose answers hold nothing of whoever asks."""

_PRICE = {"provider": "openai", "model_id": SHARED_MODEL}
_DAYS = {"start_date": "2026-03-01T00:00:00Z", "end_date": "2026-04-01T00:00:00Z"}
_EVERY = "provider,model,project,user,team,session,api_key,tag:secret"
_FILTER = {"dimension": "project", "op": "in", "values": ["shop"]}
_RULE = {
    "effect": "deny",
    "subjects": ["role:viewer"],
    "actions": ["usage:read"],
    "conditions": {"projects": ["shop"], "addresses": ["192.0.2.0/24"]},
}
_CALL = {"provider": "openai", "model_id": SHARED_MODEL, "input_tokens": 5, "output_tokens": 7}
_RECORD = {"organization_id": "", "provider": "openai", "model_id": SHARED_MODEL, "input_tokens": 5, "output_tokens": 7}

QUERIES: Mapping[str, Mapping[str, Any]] = {
    "GET /api/v1/pricing/effective": _PRICE,
    "GET /api/v1/pricing/history": _PRICE,
    "GET /api/v1/access/explain": {"permission": "costs:read"},
    "GET /api/v1/budgets/check": {"amount": "0.05", "project_id": "shop"},
    "GET /api/v1/exchange-rates/effective": {"base": "EUR", "quote": "USD", "date": "2026-03-09"},
}
"""Operation → the parameters that it cannot be without."""

VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "GET /api/v1/costs": (
        {"group_by": _EVERY},
        {"group_by": "day,project", "range": "this-year"},
        {"group_by": "user", "display_currency": "EUR"},
    ),
    "GET /api/v1/costs/summary": ({"group_by": _EVERY},),
    "GET /api/v1/analytics": ({"dimensions": "project,user,team"}, {"metrics": "requests,total_tokens"}),
    "GET /api/v1/usage/history": ({"page_size": "1"}, {"page_size": "1", "page": "2"}, {"range": "this-month"}),
    "GET /api/v1/usage/stream": ({"range": "this-month"},),
    "GET /api/v1/pricing": ({"page_size": "1"}, {"layer": "organization"}, {"current": "true"}),
    "GET /api/v1/contracts": ({"current": "true"},),
    "GET /api/v1/budgets": ({"page_size": "1"},),
    "GET /api/v1/budgets/status": ({"page_size": "1"},),
    "GET /api/v1/auth/keys": ({"page_size": "1"}, {"page": "2"}),
    "GET /api/v1/access/explain": ({"key": Own("key"), "project": "shop"},),
    "GET /api/v1/audit": ({"page_size": "1"}, {"action": "contracts.added"}),
}
"""Operation → further questions whose answers hold many names and totals."""

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "POST /api/v1/events": {
        "ce-specversion": "1.0",
        "ce-id": New("event"),
        "ce-source": "/services/shop",
        "ce-type": "com.llm-cost-ops.usage.v1",
    },
}

BODIES: Mapping[str, Any] = {
    "POST /api/v1/costs/query": {"organization_id": "", **_DAYS, "group_by": ["project"], "filters": [_FILTER]},
    "POST /api/v1/costs/breakdown": {"organization_id": "", **_DAYS, "group_by": ["user"], "filters": [_FILTER]},
    "POST /api/v1/costs/estimate": {"organization_id": "", **_CALL},
    "POST /api/v1/budgets": {"organization_id": "", "name": New("budget"), "amount": 100, "scope": {"project": "shop"}},
    "POST /api/v1/budgets/preview": {"organization_id": "", "amount": 1, "scope": {"project": "shop"}},
    "PATCH /api/v1/budgets/{budget_id}": {"amount": 150},
    "POST /api/v1/budgets/reserve": {"organization_id": "", "amount": "0.05", "project_id": "shop"},
    "POST /api/v1/budgets/settle": {"lease_id": Own("lease"), **_CALL},
    "POST /api/v1/budgets/release": {"lease_id": Own("lease")},
    "POST /api/v1/budgets/{budget_id}/reserve": {"organization_id": "", "amount": "0.05"},
    "POST /api/v1/budgets/{budget_id}/settle": {"lease_id": Own("lease"), **_CALL},
    "POST /api/v1/budgets/{budget_id}/release": {"lease_id": Own("lease")},
    "POST /api/v1/contracts": {"organization_id": "", "kind": "discount", "percent": "5", "model_id": New("contract")},
    "POST /api/v1/pricing": {
        "organization_id": "",
        "provider": "openai",
        "model_id": New("priced"),
        "input_price_per_1k": 1,
    },
    "POST /api/v1/usage": _RECORD,
    "POST /api/v1/usage/batch": {"records": [_RECORD, _RECORD]},
    "POST /api/v1/events": {**EVENT_DATA, "organization_id": ""},
    "PUT /api/v1/usage/{usage_id}": {"output_tokens": 9, "reason": "counted again"},
    "POST /api/v1/users/erase": {"organization_id": "", "user_id": "nobody-here"},
    "POST /api/v1/contracts/settle": {"organization_id": "", "month": "2026-02"},
    "POST /api/v1/pricing/sync": {"dry_run": True},
    "POST /api/v1/auth/login": {"email": Own("email of admin"), "password": Own("password")},
    "POST /api/v1/auth/refresh": {"refresh_token": Own("refresh_token")},
    "POST /api/v1/auth/password": {"current_password": Own("password"), "password": Own("password")},
    "POST /api/v1/auth/password/confirm": {"token": Own("token"), "password": Own("password")},
    "POST /api/v1/users": {"organization_id": "", "email": New("@"), "name": "Ana", "role": "viewer"},
    "POST /api/v1/roles": {"organization_id": "", "name": New("role"), "permissions": ["costs:read"]},
    "POST /api/v1/teams": {"organization_id": "", "team_id": New("team"), "name": "A team"},
    "POST /api/v1/projects": {"organization_id": "", "project_id": New("project"), "name": "A project"},
    "POST /api/v1/policies": {"organization_id": "", "name": New("policy"), **_RULE},
    "POST /api/v1/webhooks": {"organization_id": "", "url": "https://hooks.invalid/costs", "name": New("webhook")},
    "POST /api/v1/channels": {
        "organization_id": "",
        "kind": "slack",
        "url": "https://hooks.invalid/slack",
        "name": New("channel"),
    },
    "POST /api/v1/auth/keys": {"organization_id": "", "name": "production", "projects": ["shop"]},
}
"""Operation → a body that is accepted, where the document's example is not, or is not always, or says too little."""


def _traces(victim: Tenant, where: str, name: str) -> Any:
    """Spans that say whose they are."""
    attribute = {"key": f"cost_ops.{name}", "value": {"stringValue": victim.value(name)}}
    [resource] = TRACES_EXAMPLE["resourceSpans"]
    if where == "resource":
        return {"resourceSpans": [{**resource, "resource": {"attributes": [attribute]}}]}
    [scope] = resource["scopeSpans"]
    [span] = scope["spans"]
    spans = [{**span, "attributes": [*span["attributes"], attribute]}]
    return {"resourceSpans": [{**resource, "scopeSpans": [{**scope, "spans": spans}]}]}


def _asked(dimension: str, name: str) -> Callable[[Tenant], Any]:
    def body(victim: Tenant) -> Any:
        filters = [{"dimension": dimension, "op": "in", "values": [victim.value(name)]}]
        return {**_DAYS, "organization_id": Own("organization_id"), "group_by": [dimension], "filters": filters}

    return body


_QUESTIONS = {f"filter {d}": _asked(d, n) for d, n in (("user", "user_id"), ("api_key", "key"), ("team", "team_id"))}

MORE_BODIES: Mapping[str, Mapping[str, Callable[[Tenant], Any]]] = {
    "POST /v1/traces": {
        f"{where}'s {name}": lambda victim, where=where, name=name: _traces(victim, where, name)  # type: ignore[misc]
        for where in ("resource", "span")
        for name in ("organization_id", "project_id", "team_id")
    },
    "POST /api/v1/costs/query": _QUESTIONS,
    "POST /api/v1/costs/breakdown": _QUESTIONS,
    "POST /api/v1/usage/batch": {
        "the second record is the victim's": lambda victim: {
            "records": [
                {**_RECORD, "organization_id": Own("organization_id")},
                {**_RECORD, "organization_id": victim.organization_id},
            ]
        }
    },
}
"""Operation → bodies with something of the victim's in a place that the document does not describe."""
