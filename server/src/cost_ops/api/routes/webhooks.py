"""Webhooks: events posted to somebody's server, signed."""

from __future__ import annotations

from cost_ops.api.channel_routes import add_shared
from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.channels import (
    CHANGED_WEBHOOK,
    NEW_WEBHOOK,
    ROTATION,
    WebhookOne,
    WebhookPage,
    webhook_view,
)
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.errors import invalid
from cost_ops.domain.notifications import ChannelKind
from cost_ops.services import channels
from cost_ops.services.channels import READ, WRITE

routes = Routes("Webhooks")
_ALL, _ONE = "/api/v1/webhooks", "/api/v1/webhooks/{webhook_id}"
_KINDS = (ChannelKind.WEBHOOK,)
_URL = "https://example.com/webhooks/llm-cost-ops"
_ROUTED = {"url": _URL, "events": ["budget.threshold_exceeded"], "routing": {"min_threshold": 0.9}}


@routes.add(
    "GET",
    _ALL,
    summary="Webhooks by name",
    answer=WebhookPage,
    permission=READ,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_webhooks(call: Call) -> WebhookPage:
    """A page of webhooks."""
    found = channels.list_channels(call.ctx, call.organization(), _KINDS)
    shown, pages = cut(found, call.given.get("page", 1), call.given.get("page_size", 20))
    return WebhookPage([webhook_view(channel, call.money) for channel in shown], pages)


@routes.add(
    "POST",
    _ALL,
    summary="Make a webhook; the answer shows its secret, once",
    answer=WebhookOne,
    status=201,
    permission=WRITE,
    body=BodyOf(NEW_WEBHOOK, {"simple": {"url": _URL}, "routed": _ROUTED}),
    errors=(409,),
)
def add_webhook(call: Call) -> Reply:
    """A new webhook. Without `events` it hears of budgets that pass a threshold."""
    fields = Fields(call.body, tuple(NEW_WEBHOOK["properties"]), what="a webhook")
    named = fields.parsed("organization_id", check_organization_id)
    fields.done()
    document = {name: value for name, value in fields.values.items() if name != "organization_id"}
    tools = call.application.notification_tools()
    made = channels.add_channel(call.ctx, tools, call.organization(named), ChannelKind.WEBHOOK, document)
    view = webhook_view(made.channel, call.money, made.secret)
    return Reply(201, WebhookOne(view), {"Location": f"{_ALL}/{view.webhook_id}"})


@routes.add("GET", _ONE, summary="One webhook", answer=WebhookOne, permission=READ, parameters=(ORGANIZATION,))
def get_webhook(call: Call) -> WebhookOne:
    """A webhook by its id."""
    found = channels.get_channel(call.ctx, call.organization(), call.path["webhook_id"], _KINDS)
    return WebhookOne(webhook_view(found, call.money))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a webhook; `events` and `routing` are replaced as a whole",
    answer=WebhookOne,
    permission=WRITE,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_WEBHOOK, {"on again": {"enabled": True}}),
    errors=(409,),
)
def change_webhook(call: Call) -> WebhookOne:
    """Put what is given in place of the webhook's own."""
    if isinstance(call.body, dict) and "secret" in call.body:
        message = "secret is changed by POST /webhooks/{webhook_id}/rotate-secret, so that both are good for a while"
        raise invalid("secret", "not_changeable", message)
    fields = Fields(call.body, tuple(CHANGED_WEBHOOK["properties"]), what="a webhook")
    fields.done()
    changed = channels.change_channel(
        call.ctx,
        call.application.notification_tools(),
        call.organization(),
        call.path["webhook_id"],
        fields.values,
        kinds=_KINDS,
    )
    return WebhookOne(webhook_view(changed, call.money))


@routes.add(
    "POST",
    f"{_ONE}/rotate-secret",
    summary="Put a new secret in place of a webhook's; the old one signs too for 24 hours",
    answer=WebhookOne,
    permission=WRITE,
    parameters=(ORGANIZATION,),
    body=BodyOf(ROTATION, {"made here": {}}),
    errors=(409,),
)
def rotate_secret(call: Call) -> WebhookOne:
    """The answer shows the new secret, once."""
    fields = Fields(call.body, tuple(ROTATION["properties"]), what="a rotation")
    fields.done()
    made = channels.rotate_secret(
        call.ctx,
        call.application.notification_tools(),
        call.organization(),
        call.path["webhook_id"],
        fields.values.get("secret"),
    )
    return WebhookOne(webhook_view(made.channel, call.money, made.secret))


add_shared(routes, _ALL, "webhook", _KINDS)
