"""How a tenant comes by one more thing of each kind; and what belongs to the whole installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from cost_ops.domain.alerts import Alert, AlertKind
from cost_ops.domain.jobs import NewJob
from cost_ops.domain.price_reviews import PriceReview, ReviewKind, ReviewStatus
from cost_ops.domain.sessions import OneTimeToken, Purpose
from tests.api.running import Server
from tests.isolation.tenant import SHARED_MODEL, SIZES, Tenant


def _usage(tenant: Tenant) -> str:
    return str(tenant.ask("POST", "usage", tenant.usage()).body["usage_id"])


def _price(tenant: Tenant) -> str:
    body = {
        "organization_id": tenant.organization_id,
        "provider": tenant.word("provider"),
        "model_id": tenant.word(f"model-{tenant.counted()}"),
        "input_price_per_1k": SIZES[tenant.organization_id][0],
        "source": tenant.word("source"),
    }
    return str(tenant.ask("POST", "pricing", body).body["data"]["price_id"])


def _contract(tenant: Tenant) -> str:
    body = {
        "organization_id": tenant.organization_id,
        "kind": "discount",
        "percent": "10",
        "model_id": tenant.word(f"contract-{tenant.counted()}"),
        "note": tenant.word("note"),
    }
    return str(tenant.ask("POST", "contracts", body).body["data"]["contract_id"])


def _run(tenant: Tenant) -> str:
    body = {
        "organization_id": tenant.organization_id,
        "range": "this-year",
        "dry_run": False,
        "reason": tenant.word("reason"),
    }
    number = str(tenant.ask("POST", "costs/reprice", body).body["data"]["number"])
    while tenant.ask("GET", f"costs/reprice/{number}").body["data"]["status"] in ("running", "new"):
        pass
    return number


def _key(tenant: Tenant, **about: Any) -> str:
    body = {"organization_id": tenant.organization_id, "name": tenant.word("key"), **about}
    return str(tenant.ask("POST", "auth/keys", body, key="owner").body["data"]["key_id"])


def _role(tenant: Tenant) -> str:
    name = tenant.word(f"role-{tenant.counted()}")
    body = {"name": name, "permissions": ["costs:read"], "description": tenant.word("description")}
    return str(tenant.ask("POST", "roles", body, key="admin").body["data"]["name"])


def _policy(tenant: Tenant) -> str:
    body = {
        "name": tenant.word(f"policy-{tenant.counted()}"),
        "effect": "deny",
        "subjects": ["role:viewer"],
        "actions": ["usage:read"],
        "conditions": {"projects": [tenant.word("project")]},
    }
    return str(tenant.ask("POST", "policies", body, key="admin").body["data"]["policy_id"])


def _project(tenant: Tenant) -> str:
    project_id = tenant.word(f"project-{tenant.counted()}")
    body = {"project_id": project_id, "name": tenant.word("project-name")}
    return str(tenant.ask("POST", "projects", body, key="admin").body["data"]["project_id"])


def _team(tenant: Tenant) -> str:
    team_id = tenant.word(f"team-{tenant.counted()}")
    body = {"team_id": team_id, "name": tenant.word("team-name")}
    return str(tenant.ask("POST", "teams", body, key="admin").body["data"]["team_id"])


def _budget(tenant: Tenant) -> str:
    body = {
        "organization_id": tenant.organization_id,
        "name": tenant.word(f"budget-{tenant.counted()}"),
        "amount": 100,
        "scope": {"project": tenant.word("project"), "tag:secret": tenant.word(f"part-{tenant.counted()}")},
    }
    return str(tenant.ask("POST", "budgets", body).body["data"]["budget_id"])


def _lease(tenant: Tenant) -> str:
    """A lease of the newest budget."""
    body = {
        "organization_id": tenant.organization_id,
        "amount": "0.05",
        "user_id": tenant.word("user"),
        "idempotency_key": tenant.word(f"lease-{tenant.counted()}"),
    }
    path = f"budgets/{tenant.things['budget'][-1]}/reserve"
    return str(tenant.ask("POST", path, body).body["data"]["lease_id"])


def _alert(tenant: Tenant) -> str:
    """An alert of the newest budget."""
    alert = Alert(
        alert_id=tenant.word(f"alert-{tenant.counted()}"),
        budget_id=tenant.things["budget"][-1],
        period_start=tenant.now() - timedelta(days=tenant.counted()),
        kind=AlertKind.THRESHOLD,
        threshold=Decimal("0.5"),
        fired_at=tenant.now(),
        organization_id=tenant.organization_id,
        detail={"budget_name": tenant.word("budget-name"), "percent_used": Decimal(50)},
    )
    with tenant.server.application.storage.ledger(tenant.organization_id) as ledger:
        assert ledger.alerts.add(alert)
    return alert.alert_id


def _webhook(tenant: Tenant) -> str:
    body = {
        "organization_id": tenant.organization_id,
        "url": f"https://{tenant.word('hooks')}.invalid/{tenant.counted()}",
        "name": tenant.word(f"webhook-{tenant.counted()}"),
        "description": tenant.word("description"),
    }
    return str(tenant.ask("POST", "webhooks", body).body["data"]["webhook_id"])


def _channel(tenant: Tenant) -> str:
    body = {
        "organization_id": tenant.organization_id,
        "kind": "slack",
        "name": tenant.word(f"channel-{tenant.counted()}"),
        "url": f"https://{tenant.word('slack')}.invalid/",
    }
    return str(tenant.ask("POST", "channels", body).body["data"]["channel_id"])


def _delivery(tenant: Tenant) -> str:
    """A test that arrives nowhere, of the newest webhook."""
    return str(tenant.ask("POST", f"webhooks/{tenant.things['webhook'][-1]}/test").body["data"]["delivery_id"])


def _channel_delivery(tenant: Tenant) -> str:
    return str(tenant.ask("POST", f"channels/{tenant.things['channel'][-1]}/test").body["data"]["delivery_id"])


def _review(tenant: Tenant) -> str:
    """A price review: there are only the installation's."""
    with tenant.server.application.storage.installation() as installation:
        found, _ = installation.price_reviews.page(status=ReviewStatus.OPEN, limit=1)
        return found[0].review_id


def _job(tenant: Tenant) -> str:
    """A job that waits: there are only the installation's."""
    with tenant.server.application.storage.installation() as installation:
        return installation.jobs.page(kind="waiting", limit=1)[0][0].job_id


def _member(tenant: Tenant) -> str:
    email = f"{tenant.word(f'member-{tenant.counted()}')}@example.com"
    body = {"email": email, "name": tenant.word("person"), "role": "viewer", "projects": [tenant.word("project")]}
    return str(tenant.ask("POST", "users", body, key="admin").body["data"]["user_id"])


def _session(tenant: Tenant) -> str:
    return str(tenant.log_in("admin")["session_id"])


def _refresh_token(tenant: Tenant) -> str:
    return str(tenant.log_in("engineer")["refresh_token"])


def _link(tenant: Tenant) -> str:
    """What stands in a letter to somebody who has forgotten their password."""
    secret, now = tenant.word(f"link-{tenant.counted()}-of-forty-three-characters"), tenant.now()
    hashed = sha256(secret.encode()).digest()
    with tenant.server.application.storage.installation() as installation:
        user = installation.credentials.user_by_email(tenant.people["spare"])
        assert user is not None
        token = OneTimeToken(hashed, user.user_id, Purpose.RESET, now, now + timedelta(minutes=30))
        installation.credentials.add_one_time_token(token)
    return secret


MAKERS: dict[str, Callable[[Tenant], str]] = {
    "usage": _usage,
    "price": _price,
    "contract": _contract,
    "run": _run,
    "key": _key,
    "review": _review,
    "job": _job,
    "role": _role,
    "policy": _policy,
    "project": _project,
    "team": _team,
    "member": _member,
    "session": _session,
    "refresh_token": _refresh_token,
    "token": _link,
    "budget": _budget,
    "lease": _lease,
    "alert": _alert,
    "webhook": _webhook,
    "channel": _channel,
    "delivery": _delivery,
    "channel_delivery": _channel_delivery,
}
"""Kind → how one comes to be."""


def share_in(server: Server) -> None:
    """What belongs to the installation: a price, exchange rates, reviews, a job."""
    body = {"provider": "openai", "model_id": SHARED_MODEL, "input_price_per_1k": 0.01, "output_price_per_1k": 0.03}
    assert server.post("pricing", body, key="owner").status == 201
    rates = [{"date": "2026-03-09", "base": "EUR", "quote": "USD", "rate": "1.1"}]
    assert server.post("exchange-rates", {"source": "bank", "rates": rates}, key="owner").status == 201
    with server.application.storage.installation() as installation:
        installation.price_reviews.add_many([_review_of(f"waiting-{i}") for i in range(40)], server.application.clock())
        later = server.application.clock() + timedelta(days=1)
        installation.jobs.enqueue(NewJob("waiting", later), server.application.clock())


def _review_of(model: str) -> PriceReview:
    opinions = [
        {
            "source": source,
            "url": None,
            "currency": "USD",
            "fingerprint": source,
            "rates": [{"meter": "input", "price": price, "per": 1_000_000}],
        }
        for source, price in (("published", "3"), ("waiting", "30"))
    ]
    detail = {"published": opinions[0], "opinions": opinions, "changes": [], "through": None, "fingerprint": model}
    return PriceReview("openai", model, ReviewKind.JUMP, detail)
