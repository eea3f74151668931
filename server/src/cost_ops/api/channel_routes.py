"""The routes that webhooks and other channels have in common: their tests and their deliveries."""

from __future__ import annotations

from collections.abc import Collection

from cost_ops.api.operations import Call, Reply, Routes
from cost_ops.api.pages import pagination
from cost_ops.api.parameters import Parameter, one_of
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE
from cost_ops.api.schemas.channels import (
    DeliveryOne,
    DeliveryPage,
    delivery_detail,
    delivery_view,
)
from cost_ops.api.schemas.roles import Removed, RemovedOne
from cost_ops.domain.notifications import ChannelKind, DeliveryStatus
from cost_ops.services import channels, deliveries, delivery_log
from cost_ops.services.channels import READ, WRITE

_STATUSES = [status.value for status in DeliveryStatus]
STATUS = Parameter("status", "only deliveries of this status", {"type": "string", "enum": _STATUSES}, one_of(_STATUSES))


def add_shared(routes: Routes, all_of: str, noun: str, kinds: Collection[ChannelKind]) -> None:
    """Declare what every kind of channel has: removal, test, deliveries. `all_of` is the path of all of them."""
    name = f"{noun}_id"
    one = f"{all_of}/{{{name}}}"
    _add_removal(routes, one, noun, kinds)
    _add_test(routes, one, noun, kinds)
    _add_deliveries(routes, one, noun, kinds)


def _add_removal(routes: Routes, one: str, noun: str, kinds: Collection[ChannelKind]) -> None:
    @routes.add(
        "DELETE",
        one,
        summary=f"Remove a {noun}; what waits for it is given up",
        answer=RemovedOne,
        permission=WRITE,
        parameters=(ORGANIZATION,),
    )
    def remove(call: Call) -> RemovedOne:
        """Take it away."""
        identity = call.path[f"{noun}_id"]
        channels.remove_channel(call.ctx, call.organization(), identity, kinds)
        return RemovedOne(Removed(identity))


def _add_test(routes: Routes, one: str, noun: str, kinds: Collection[ChannelKind]) -> None:
    @routes.add(
        "POST",
        f"{one}/test",
        summary=f"Send a {noun} a test message now, and say what came of it",
        answer=DeliveryOne,
        permission=WRITE,
        parameters=(ORGANIZATION,),
    )
    def test(call: Call) -> DeliveryOne:
        """Answers when it was tried, ten seconds later at most."""
        tools = call.application.notification_tools()
        found, attempt = deliveries.test(call.ctx, tools, call.organization(), call.path[f"{noun}_id"], kinds=kinds)
        return DeliveryOne(delivery_detail(found, [attempt], call.money))


def _add_deliveries(routes: Routes, one: str, noun: str, kinds: Collection[ChannelKind]) -> None:
    delivery = f"{one}/deliveries/{{delivery_id}}"

    @routes.add(
        "GET",
        f"{one}/deliveries",
        summary=f"What a {noun} was told, newest first, with every attempt",
        answer=DeliveryPage,
        permission=READ,
        parameters=(ORGANIZATION, STATUS, PAGE, PAGE_SIZE),
    )
    def list_deliveries(call: Call) -> DeliveryPage:
        """A page of deliveries."""
        given = call.given
        page, size, status = given.get("page", 1), given.get("page_size", 20), given.get("status")
        found = delivery_log.list_deliveries(
            call.ctx,
            call.organization(),
            call.path[f"{noun}_id"],
            kinds=kinds,
            status=None if status is None else DeliveryStatus(status),
            limit=size,
            offset=(page - 1) * size,
        )
        views = [delivery_view(*entry) for entry in found.deliveries]
        more = page * size < found.total
        return DeliveryPage(views, pagination(page=page, page_size=size, total=found.total, has_next=more))

    @routes.add(
        "GET",
        delivery,
        summary="One delivery, with what it tells",
        answer=DeliveryOne,
        permission=READ,
        parameters=(ORGANIZATION,),
    )
    def get_delivery(call: Call) -> DeliveryOne:
        """A delivery by its id."""
        identity, delivery_id = call.path[f"{noun}_id"], call.path["delivery_id"]
        found, tried = delivery_log.get_delivery(call.ctx, call.organization(), identity, delivery_id, kinds)
        return DeliveryOne(delivery_detail(found, tried, call.money))

    @routes.add(
        "POST",
        f"{delivery}/redeliver",
        summary="Tell an event once more, under a delivery id of its own",
        answer=DeliveryOne,
        status=202,
        permission=WRITE,
        parameters=(ORGANIZATION,),
        errors=(409,),
    )
    def redeliver(call: Call) -> Reply:
        """It is on its way when this answers."""
        identity, delivery_id = call.path[f"{noun}_id"], call.path["delivery_id"]
        again = delivery_log.redeliver(call.ctx, call.organization(), identity, delivery_id, kinds)
        return Reply(202, DeliveryOne(delivery_detail(again, [], call.money)))
