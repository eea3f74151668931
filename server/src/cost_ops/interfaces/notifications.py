"""What notifications need: a place for events, channels and deliveries; a vault for secrets; senders that tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from cost_ops.domain.notifications import Attempt, Channel, Delivery, DeliveryStatus, OutboxEvent


@dataclass(frozen=True, slots=True)
class Message:
    """One event as it is delivered. In `data` amounts are Decimals and instants are RFC 3339 text."""

    delivery_id: str
    event: str
    at: datetime
    organization_id: str
    organization_name: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A channel as a sender sees it: `secret` is in the clear, never to be logged or shown."""

    channel_id: str
    kind: str
    name: str
    config: Mapping[str, Any]
    secret: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending. `error` says why it failed, for people; `text` is what was answered, at most 500 characters
    of it; `gone`: the other side asks never to be told again.
    """

    ok: bool
    status: int | None = None
    error: str = ""
    text: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A channel's own fields, checked: what may be shown, and what is kept sealed."""

    config: Mapping[str, Any]
    secret: Mapping[str, Any] = field(repr=False)


class Sender(Protocol):
    """Tells one kind of channel."""

    fields: frozenset[str]
    """The fields of a channel's document that are this kind's own. `config` and `secret` keep them under these names,
    beside whatever else is derived: a change is checked as those stored fields with the new ones over them.
    """

    def check(self, document: Mapping[str, Any]) -> Checked:
        """What is kept of a channel's own fields. Raises InvalidInput with every problem; unknown fields are another's
        to refuse.
        """

    def send(self, target: Target, messages: Sequence[Message]) -> Answer:
        """Tell a channel of events, one or several as one message. Never raises; takes at most ten seconds."""


class Vault(Protocol):
    """Keeps secrets sealed. It has transactions of its own: not to be asked inside one."""

    def seal(self, secret: Mapping[str, Any], context: str) -> bytes:
        """What is stored of a secret. `context` is what it belongs to. Raises Unavailable."""

    def open(self, sealed: bytes, context: str) -> dict[str, Any]:
        """The secret again. Raises Unavailable where the key for it is not at hand."""

    def is_protected(self) -> bool:
        """Whether what opens secrets is itself sealed under a key that is not in the database.

        Raises Unavailable where that key is not the one at hand.
        """


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key as it is stored; `wrapped_by` tells the master key that it is sealed under, None: it is in the clear."""

    key_id: str
    wrapped: bytes = field(repr=False)
    wrapped_by: str | None
    created_at: datetime
    retired_at: datetime | None = None


class DataKeyRepository(Protocol):
    """Data keys of the installation."""

    def lock(self) -> None:
        """Let nobody else add a key until this transaction ends."""

    def all(self) -> list[DataKey]:
        """All keys, the oldest first."""

    def get(self, key_id: str) -> DataKey | None:
        """One key."""

    def add(self, key: DataKey) -> None:
        """Store a key."""

    def rewrap(self, key_id: str, wrapped: bytes, wrapped_by: str | None) -> None:
        """Put another sealed form in place of a key's."""


class OutboxRepository(Protocol):
    """Events of the bound organisation, written in the transaction of what they tell."""

    def add(self, event: str, data: Mapping[str, Any], at: datetime) -> None:
        """Write an event down. Amounts in `data` are Decimals."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits, and since when the oldest has."""

    count: int
    oldest: datetime | None


class OutboxQueue(Protocol):
    """Events of all organisations, in the order in which they are handed on."""

    def add(self, event: str, data: Mapping[str, Any], at: datetime, organization_id: str) -> None:
        """Write an event of an organisation down."""

    def take(self, limit: int) -> list[OutboxEvent]:
        """Take the oldest events away. They are back where this transaction is not committed."""

    def backlog(self) -> Backlog:
        """What nobody has taken yet."""


class ChannelRepository(Protocol):
    """Channels of the bound organisation."""

    def list(self) -> list[Channel]:
        """All, by name."""

    def get(self, channel_id: str) -> Channel | None:
        """One channel."""

    def add(self, channel: Channel) -> None:
        """Store a channel."""

    def save(self, channel: Channel) -> None:
        """Put a channel in place of what was stored."""

    def remove(self, channel_id: str) -> None:
        """Take a channel away. Its deliveries stay, as a log."""


class ChannelDirectory(Protocol):
    """Channels of all organisations."""

    def of(self, organization_ids: Collection[str]) -> dict[str, list[Channel]]:
        """The channels that are told, by organisation."""

    def disable(self, channel_id: str, reason: str, now: datetime) -> bool:
        """Turn a channel off; False where it is off already."""


class DeliveryPage(NamedTuple):
    """Deliveries with what was tried, and how many there are in all."""

    deliveries: list[tuple[Delivery, list[Attempt]]]
    total: int


class DeliveryRepository(Protocol):
    """Deliveries of the bound organisation."""

    def add(self, delivery: Delivery, tried: Attempt | None = None) -> None:
        """Store a delivery that is to be made, or one that was `tried`."""

    def get(self, channel_id: str, delivery_id: str) -> tuple[Delivery, list[Attempt]] | None:
        """One delivery, with what was tried."""

    def page(self, channel_id: str, *, status: DeliveryStatus | None, limit: int, offset: int) -> DeliveryPage:
        """Deliveries to a channel, newest first."""

    def cancel(self, channel_id: str, now: datetime) -> int:
        """Give up what waits for a channel; how many there were."""


class Claimed(NamedTuple):
    """What one worker sends now, as one message: deliveries to one channel, oldest first."""

    channel: Channel
    organization_name: str
    deliveries: Sequence[Delivery]
    worker: str


class Outcome(NamedTuple):
    """How a delivery stands after an attempt. Without `next_attempt_at` it is at its end."""

    delivery: Delivery
    attempt: Attempt
    status: DeliveryStatus
    next_attempt_at: datetime | None
    sent_with: str | None


class DeliveryQueue(Protocol):
    """Deliveries of all organisations, as they become due."""

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Store deliveries; one of the same event to the same channel is there once."""

    def due(self, now: datetime, limit: int) -> list[str]:
        """Channels for which something is due, whoever has waited longest first. Claims nothing."""

    def claim(self, channel_ids: Sequence[str], worker: str, now: datetime, lease: timedelta) -> list[Claimed]:
        """Take on what is due for these channels, as far as nobody else is at it."""

    def record(self, outcomes: Sequence[Outcome], worker: str, now: datetime) -> bool:
        """Keep what came of an attempt. False, and nothing is kept, where the worker has lost its lease."""

    def cancel(self, channel_id: str, now: datetime) -> int:
        """Give up what waits for a channel; how many there were."""

    def backlog(self, now: datetime) -> Backlog:
        """What is due and not delivered; since when the oldest is due."""

    def prune(self, before: datetime, limit: int) -> int:
        """Remove finished deliveries that were made before an instant, with their attempts; how many there were."""


@dataclass(frozen=True, slots=True)
class NotificationTools:
    """What channels are checked, kept and told with."""

    vault: Vault
    senders: Mapping[str, Sender]
    """By kind."""

    group_wait: timedelta = timedelta(seconds=10)
    """How long messages to people wait for others."""
