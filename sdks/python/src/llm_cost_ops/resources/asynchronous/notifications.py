"""Who is told: webhooks, other channels, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from llm_cost_ops._requests import Call, part
from llm_cost_ops.models.base import one
from llm_cost_ops.models.budgets import Alert
from llm_cost_ops.models.notifications import Channel, Delivery, Removed, Webhook
from llm_cost_ops.resources.asynchronous.calling import AsyncResource, given
from llm_cost_ops.resources.asynchronous.pages import AsyncPage, page_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llm_cost_ops.models.fields import ChannelFields, Time


class _Told(AsyncResource):
    """What webhooks and channels have in common."""

    _path: str

    async def delete(self, channel_id: str) -> Removed:
        """Remove it; what waits for it is given up."""
        return await self._caller.call(Call("DELETE", f"{self._path}/{part(channel_id)}", one(Removed)))

    async def test(self, channel_id: str) -> Delivery:
        """Send a test now, and say what came of it."""
        return await self._caller.call(Call("POST", f"{self._path}/{part(channel_id)}/test", one(Delivery)))

    async def deliveries(
        self,
        channel_id: str,
        *,
        status: Optional[str] = None,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
    ) -> AsyncPage[Delivery]:
        """What it was told, newest first, with every attempt."""
        params = {"status": status, "page": page, "page_size": page_size}
        path = f"{self._path}/{part(channel_id)}/deliveries"
        return await self._caller.call(page_of(self._caller, path, params, Delivery))

    async def delivery(self, channel_id: str, delivery_id: str) -> Delivery:
        """One delivery, with what it told."""
        path = f"{self._path}/{part(channel_id)}/deliveries/{part(delivery_id)}"
        return await self._caller.call(Call("GET", path, one(Delivery)))

    async def redeliver(self, channel_id: str, delivery_id: str) -> Delivery:
        """Tell it once more, under an id of its own."""
        path = f"{self._path}/{part(channel_id)}/deliveries/{part(delivery_id)}/redeliver"
        return await self._caller.call(Call("POST", path, one(Delivery)))


class AsyncWebhooks(_Told):
    """`client.webhooks`: events posted to programs, signed."""

    _path = "webhooks"

    async def create(self, **fields: Unpack[ChannelFields]) -> Webhook:
        """Make a webhook; `url` is needed. The answer has its secret, now and never again."""
        return await self._caller.call(Call("POST", "webhooks", one(Webhook), body=self._mine(fields)))

    async def list(
        self, *, page: Optional[int] = None, page_size: Optional[int] = None, organization_id: Optional[str] = None
    ) -> AsyncPage[Webhook]:
        """By name."""
        params = {**self._mine({"organization_id": organization_id}), "page": page, "page_size": page_size}
        return await self._caller.call(page_of(self._caller, "webhooks", params, Webhook))

    async def get(self, webhook_id: str) -> Webhook:
        """One webhook."""
        return await self._caller.call(Call("GET", f"webhooks/{part(webhook_id)}", one(Webhook)))

    async def update(self, webhook_id: str, **fields: Unpack[ChannelFields]) -> Webhook:
        """Change fields; `events` and `routing` are replaced as a whole."""
        return await self._caller.call(Call("PATCH", f"webhooks/{part(webhook_id)}", one(Webhook), body=dict(fields)))

    async def rotate_secret(self, webhook_id: str, *, secret: Optional[str] = None) -> Webhook:
        """Put a new secret in place; the old one goes on signing for 24 hours."""
        body = given({"secret": secret})
        path = f"webhooks/{part(webhook_id)}/rotate-secret"
        return await self._caller.call(Call("POST", path, one(Webhook), body=body))


class AsyncChannels(_Told):
    """`client.channels`: e-mail, Slack, Teams, PagerDuty, apprise."""

    _path = "channels"

    async def create(self, **fields: Unpack[ChannelFields]) -> Channel:
        """Make a channel of a `kind`."""
        return await self._caller.call(Call("POST", "channels", one(Channel), body=self._mine(fields)))

    async def list(
        self, *, page: Optional[int] = None, page_size: Optional[int] = None, organization_id: Optional[str] = None
    ) -> AsyncPage[Channel]:
        """By name, without webhooks."""
        params = {**self._mine({"organization_id": organization_id}), "page": page, "page_size": page_size}
        return await self._caller.call(page_of(self._caller, "channels", params, Channel))

    async def get(self, channel_id: str) -> Channel:
        """One channel."""
        return await self._caller.call(Call("GET", f"channels/{part(channel_id)}", one(Channel)))

    async def update(self, channel_id: str, **fields: Unpack[ChannelFields]) -> Channel:
        """Change fields; the `kind` stays."""
        return await self._caller.call(Call("PATCH", f"channels/{part(channel_id)}", one(Channel), body=dict(fields)))


class AsyncAlerts(AsyncResource):
    """`client.alerts`: what budgets told."""

    async def list(
        self,
        *,
        budget_id: Optional[str] = None,
        status: Optional[str] = None,
        since: Optional[Time] = None,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
        organization_id: Optional[str] = None,
    ) -> AsyncPage[Alert]:
        """Alerts, newest first."""
        asked = {"budget_id": budget_id, "status": status, "since": since, "page": page, "page_size": page_size}
        params = {**self._mine({"organization_id": organization_id}), **asked}
        return await self._caller.call(page_of(self._caller, "alerts", params, Alert))

    async def get(self, alert_id: str) -> Alert:
        """One alert, with its figures as they were."""
        return await self._caller.call(Call("GET", f"alerts/{part(alert_id)}", one(Alert)))

    async def acknowledge(self, alert_id: str, *, comment: Optional[str] = None) -> Alert:
        """Say that it was seen: it is not escalated."""
        path = f"alerts/{part(alert_id)}/acknowledge"
        return await self._caller.call(
            Call("POST", path, one(Alert), body=given({"comment": comment}), repeatable=True)
        )
