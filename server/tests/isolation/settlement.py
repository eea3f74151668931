"""A tenant moves in: its organisation, its credentials, its people, and in a full one something of everything."""

from __future__ import annotations

from cost_ops.domain.access import OWNER, PERMISSIONS
from cost_ops.services import passwords, people
from cost_ops.services.people import NewMember
from tests.isolation.tenant import Tenant
from tests.isolation.things import MAKERS
from tests.people import KeptLetters

READING = [name for name in PERMISSIONS if name.endswith(":read")]
BOUND = ["usage:write", "usage:read", "costs:read", "analytics:read", "pricing:read"]
PEOPLE = {"admin": "admin", "engineer": "engineer", "spare": "viewer", "bound": "engineer"}
"""Who logs in → their role; `bound` is so to a project."""


def settle_in(tenant: Tenant, *, full: bool) -> None:
    """The organisation, its credentials, and in a full one something of everything."""
    tenant.step()
    tenant.things["organization"] = [tenant.organization_id]
    body = {"organization_id": tenant.organization_id, "name": tenant.word("name")}
    assert tenant.server.post("organizations", body, key="owner").status == 201
    _keys(tenant)
    if not full:
        return
    _people(tenant)
    for kind in MAKERS:
        for _ in range(2):
            tenant.make(kind)
    tenant.things["api_key_id"] = tenant.things["key_id"] = tenant.things["key"]
    tenant.ask("POST", "usage", tenant.usage(model_id=tenant.word("model"), provider="unheard"))
    corrected = {"output_tokens": 3, "reason": tenant.word("correction"), "region": tenant.word("region")}
    tenant.ask("PUT", f"usage/{tenant.things['usage'][-1]}", corrected)
    tiers = [{"from": 0, "discount": "0"}, {"from": 5, "discount": "0.5"}]
    volume = {"organization_id": tenant.organization_id, "note": tenant.word("volume"), "volume": {"tiers": tiers}}
    tenant.ask("POST", "contracts", {**volume, "provider": "openai", "effective_date": "2026-01-01T00:00:00Z"})
    tenant.things["idempotency_key"] = tenant.things["request_id"] = [tenant.word("call-1")]
    tenant.things["response_id"] = [tenant.word("response-2")]
    for name, path in (("cursor", "usage/history"), ("audit cursor", "audit")):
        tenant.things[name] = [tenant.ask("GET", f"{path}?page_size=1").body["pagination"]["next_cursor"]]
    chain = tenant.ask("GET", "audit/verify").body["data"][0]
    tenant.things["expect"] = [f"{chain['chain']}:{chain['head']}"]


def _keys(tenant: Tenant) -> None:
    for kind, about in {
        "live": {},
        "reader": {"permissions": READING},
        "project": {"permissions": BOUND, "projects": [tenant.word("project")]},
        "revoked": {},
    }.items():
        tenant.step()
        body = {"organization_id": tenant.organization_id, "name": tenant.word(kind), **about}
        data = tenant.server.post("auth/keys", body, key="owner").body["data"]
        tenant.credentials[kind] = data["key"]
        if kind == "revoked":
            assert tenant.server.ask("DELETE", f"auth/keys/{data['key_id']}", key="owner").status == 200


def _people(tenant: Tenant) -> None:
    """People with a password, and one who has none yet."""
    application = tenant.server.application
    ctx, tools = application.context(OWNER), application.login_tools
    tenant.things["password"] = tenant.things["current_password"] = [tenant.word("horse of a colour")]
    for kind, role in (*PEOPLE.items(), ("invited", "viewer")):
        tenant.step()
        email = f"{tenant.word(kind)}@example.com"
        projects = (tenant.word("project"),) if kind == "bound" else ()
        new = NewMember(email, tenant.word(kind), role, projects)
        invited = people.add(ctx, tools, tenant.organization_id, new)
        if kind == "invited":
            tenant.things["email"] = [email]
            tenant.shared.add(invited.member.user_id)
            continue
        assert isinstance(tools.mailer, KeptLetters)
        passwords.confirm(ctx, tools, tools.mailer.last.token, tenant.value("password"))
        tenant.people[kind] = email
    tenant.things["user"] = [tenant.people["admin"]]
