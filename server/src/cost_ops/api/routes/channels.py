"""Channels beside webhooks: e-mail, Slack, Teams, PagerDuty, and what apprise knows."""

from __future__ import annotations

from cost_ops.api.channel_routes import add_shared
from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.channels import CHANGED_CHANNEL, NEW_CHANNEL, ChannelOne, ChannelPage, channel_view
from cost_ops.domain.access import check_organization_id
from cost_ops.domain.notifications import ChannelKind
from cost_ops.services import channels
from cost_ops.services.channels import PEOPLE_KINDS, READ, WRITE

routes = Routes("Channels")
_ALL, _ONE = "/api/v1/channels", "/api/v1/channels/{channel_id}"
_MAIL = {"kind": "email", "name": "owners", "addresses": ["ana@example.com"]}
_SLACK = {
    "kind": "slack",
    "url": "https://hooks.slack.com/services/T000/B000/XXXX",
    "routing": {"severity": "critical", "escalation": "escalated"},
}
_PAGERDUTY = {"kind": "pagerduty", "routing_key": "0123456789abcdef0123456789abcdef", "routing": {"min_threshold": 1}}


@routes.add(
    "GET",
    _ALL,
    summary="Channels by name; webhooks are listed by themselves",
    answer=ChannelPage,
    permission=READ,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_channels(call: Call) -> ChannelPage:
    """A page of channels."""
    found = channels.list_channels(call.ctx, call.organization(), PEOPLE_KINDS)
    shown, pages = cut(found, call.given.get("page", 1), call.given.get("page_size", 20))
    return ChannelPage([channel_view(channel, call.money) for channel in shown], pages)


@routes.add(
    "POST",
    _ALL,
    summary="Make a channel; its URL or key is kept encrypted and never shown",
    answer=ChannelOne,
    status=201,
    permission=WRITE,
    body=BodyOf(NEW_CHANNEL, {"email": _MAIL, "slack": _SLACK, "pagerduty": _PAGERDUTY}),
    errors=(409,),
)
def add_channel(call: Call) -> Reply:
    """A new channel. Without `events` it hears of all that concerns budgets."""
    fields = Fields(call.body, tuple(NEW_CHANNEL["properties"]), what="a channel")
    named = fields.parsed("organization_id", check_organization_id)
    kind = fields.text("kind", required=True)
    if kind is not None and kind not in PEOPLE_KINDS:
        kinds = ", ".join(PEOPLE_KINDS)
        fields.add("kind", "invalid_value", f"kind must be one of {kinds}, got {kind[:40]!r}; webhooks: POST /webhooks")
    fields.done()
    document = {name: value for name, value in fields.values.items() if name not in ("organization_id", "kind")}
    tools = call.application.notification_tools()
    made = channels.add_channel(call.ctx, tools, call.organization(named), ChannelKind(str(kind)), document)
    view = channel_view(made.channel, call.money)
    return Reply(201, ChannelOne(view), {"Location": f"{_ALL}/{view.channel_id}"})


@routes.add("GET", _ONE, summary="One channel", answer=ChannelOne, permission=READ, parameters=(ORGANIZATION,))
def get_channel(call: Call) -> ChannelOne:
    """A channel by its id."""
    found = channels.get_channel(call.ctx, call.organization(), call.path["channel_id"], PEOPLE_KINDS)
    return ChannelOne(channel_view(found, call.money))


@routes.add(
    "PATCH",
    _ONE,
    summary="Change a channel; `events`, `routing` and `addresses` are replaced as a whole",
    answer=ChannelOne,
    permission=WRITE,
    parameters=(ORGANIZATION,),
    body=BodyOf(CHANGED_CHANNEL, {"off": {"enabled": False}}),
    errors=(409,),
)
def change_channel(call: Call) -> ChannelOne:
    """Put what is given in place of the channel's own."""
    fields = Fields(call.body, tuple(CHANGED_CHANNEL["properties"]), what="a channel")
    fields.done()
    changed = channels.change_channel(
        call.ctx,
        call.application.notification_tools(),
        call.organization(),
        call.path["channel_id"],
        fields.values,
        kinds=PEOPLE_KINDS,
    )
    return ChannelOne(channel_view(changed, call.money))


add_shared(routes, _ALL, "channel", PEOPLE_KINDS)
