"""Audit events: who changed what, kept for good in the same transaction as the change, in a chain of hashes.

The events of an organisation form a chain, and so do those of the installation (its chain has the empty name). An
event's hash is the SHA-256 of a JSON list: chain, sequence, the hash before it in hex, and what it says. So no event
can be changed, taken out or put in without all later hashes changing: whoever noted the newest hash finds out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cost_ops.domain.access import Principal
from cost_ops.domain.periods import to_us

OWNER_NAME = "owner"
"""The actor of what the installation's owner did without a key."""


class Action(StrEnum):
    """What can be audited. Names never change their meaning; new ones may come."""

    PRICE_ADDED = "prices.added"
    PRICE_REVISED = "prices.revised"
    PRICE_ENDED = "prices.ended"
    PRICES_SYNCED = "prices.synced"
    REVIEW_ACCEPTED = "pricing.review_accepted"
    REVIEW_DISMISSED = "pricing.review_dismissed"
    CONTRACT_ADDED = "contracts.added"
    CONTRACT_ENDED = "contracts.ended"
    CONTRACTS_SETTLED = "contracts.settled"
    RATES_IMPORTED = "exchange_rates.imported"
    REPRICE_STARTED = "costs.reprice_started"
    REPRICED = "costs.repriced"
    USAGE_CORRECTED = "usage.corrected"
    USAGE_ERASED = "usage.erased"
    RETENTION_APPLIED = "retention.applied"
    ORGANIZATION_ADDED = "organizations.added"
    ORGANIZATION_CHANGED = "organizations.changed"
    PROJECT_SAVED = "projects.saved"
    TEAM_SAVED = "teams.saved"
    TEAM_REMOVED = "teams.removed"
    ROLE_SAVED = "roles.saved"
    ROLE_REMOVED = "roles.removed"
    POLICY_SAVED = "policies.saved"
    POLICY_REMOVED = "policies.removed"
    USER_ADDED = "users.added"
    USER_CHANGED = "users.changed"
    USER_REMOVED = "users.removed"
    PASSWORD_CHANGED = "users.password_changed"  # noqa: S105 (a name, no secret)
    RESET_REQUESTED = "users.reset_requested"
    KEY_CREATED = "keys.created"
    KEY_CHANGED = "keys.changed"
    KEY_ROTATED = "keys.rotated"
    KEY_REVOKED = "keys.revoked"
    LOGGED_IN = "auth.logged_in"
    LOGGED_OUT = "auth.logged_out"
    LOGIN_FAILED = "auth.login_failed"
    REFRESH_REUSED = "auth.refresh_reused"
    SESSION_REVOKED = "auth.session_revoked"
    SIGNING_KEY_ROTATED = "auth.signing_key_rotated"
    JOB_REQUESTED = "jobs.requested"
    JOB_RETRIED = "jobs.retried"
    REFUSED = "access.refused"
    BUDGET_ADDED = "budgets.added"
    BUDGET_CHANGED = "budgets.changed"
    BUDGET_REMOVED = "budgets.removed"
    BUDGET_SILENCED = "budgets.silenced"
    BUDGET_UNSILENCED = "budgets.unsilenced"
    ALERT_ACKNOWLEDGED = "alerts.acknowledged"
    CHANNEL_ADDED = "channels.added"
    CHANNEL_CHANGED = "channels.changed"
    CHANNEL_REMOVED = "channels.removed"
    CHANNEL_TESTED = "channels.tested"
    CHANNEL_DISABLED = "channels.disabled"
    CHANNEL_SECRET_ROTATED = "channels.secret_rotated"  # noqa: S105 (a name, no secret)
    DELIVERY_REPEATED = "channels.redelivered"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One change. `organization_id` is None for what concerns the whole installation; `number` None until stored.

    `detail` holds what explains the change, never a person's data.
    """

    action: str
    resource: str
    actor: str
    at: datetime
    organization_id: str | None = None
    request_id: str | None = None
    detail: Mapping[str, Any] | None = None
    number: int | None = None
    address: str | None = None
    sequence: int = 0
    """The place in its chain, from 1; 0 until stored."""

    hash: bytes = b""
    unreadable: tuple[str, ...] = ()
    """Columns whose stored form cannot be read, which takes a change by hand; their values here mean nothing."""

    @property
    def chain(self) -> str:
        """The name of the chain that the event belongs to."""
        return self.organization_id or ""


def actor_of(principal: Principal) -> str:
    """Who acts: a person (`user:ID`), a key by its id, or the installation's owner."""
    if principal.user_id is not None:
        return f"user:{principal.user_id}"
    return principal.key_id or OWNER_NAME


MOST_DEPTH = 32
"""How deep a detail is kept; what lies deeper is left out, and a mark stands for it."""

_LARGEST = 2**63


def clean(text: str) -> str:
    """A text as both databases keep it: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def plain(value: Any, depth: int = MOST_DEPTH) -> Any:
    """A detail as both databases give it back: keys as text, numbers too, but for whole ones below 2^63."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value < _LARGEST else hex(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _plain_items(value, depth - 1) if depth else "…"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return clean(str(value))


def _plain_items(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(item, depth) for key, item in value.items()}
    return [plain(item, depth) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]


_write = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def link(event: AuditEvent, sequence: int, before: bytes) -> bytes:
    """The hash of an event at a place in its chain, after the hash of the one before (empty for the first)."""
    content = [
        event.chain,
        sequence,
        before.hex(),
        to_us(event.at),
        event.actor,
        str(event.action),
        event.resource,
        event.request_id,
        event.address,
        event.detail,
    ]
    return sha256(_write(content).encode()).digest()


def stored(event: AuditEvent, organization_id: str | None) -> AuditEvent:
    """The event as it is kept by the ledger of an organisation, or by the installation: its texts and detail plain."""
    return replace(
        event,
        organization_id=organization_id or event.organization_id or None,
        actor=clean(event.actor),
        action=clean(str(event.action)),
        resource=clean(event.resource),
        request_id=None if event.request_id is None else clean(event.request_id),
        address=None if event.address is None else clean(event.address),
        detail=plain(event.detail) if event.detail else None,
    )
