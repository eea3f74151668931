"""Webhooks: what is posted, and how its receiver can tell that it came from us and is new.

Two signatures stand beside each other, for the same body and the same secret as it was shown (`whsec_…`):

- `X-LLM-CostOps-Signature: sha256=<hex>`: HMAC-SHA256 of the raw body, keyed with the whole text `whsec_…` as bytes.
- `webhook-signature: v1,<base64>` as in Standard Webhooks: HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`,
  keyed with the bytes that the part after `whsec_` is the base64 of. While a replaced secret is still good there are
  two, separated by a space.

Every attempt is signed anew: its timestamp is its own, the delivery id is the delivery's.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cost_ops.domain.errors import Problem
from cost_ops.domain.exact_json import json_text
from cost_ops.domain.periods import format_instant

SECRET_PREFIX = "whsec_"  # noqa: S105 (what secrets begin with)
SECRET_BYTES = 32
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64
OVERLAP = timedelta(hours=24)
"""How long a replaced secret signs too."""


def new_secret(random: bytes) -> str:
    """A secret in the form of Standard Webhooks, of random bytes that are handed in."""
    return SECRET_PREFIX + b64encode(random).decode()


def secret_fault(secret: object, field: str = "secret") -> Problem | None:
    """What is wrong with a secret that somebody brings along."""
    wanted = f"{field} must be {SECRET_PREFIX} and the base64 of {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes"
    if not isinstance(secret, str) or not secret.startswith(SECRET_PREFIX):
        return Problem(field, "invalid_value", f"{wanted}; leave it out to have one made")
    try:
        size = len(_key(secret))
    except (binascii.Error, ValueError):
        return Problem(field, "invalid_value", f"{wanted}; this is not base64")
    if not LEAST_SECRET_BYTES <= size <= MOST_SECRET_BYTES:
        return Problem(field, "invalid_value", f"{wanted}; this has {size}")
    return None


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


def body_of(*, event: str, at: datetime, delivery_id: str, data: Mapping[str, Any]) -> bytes:
    """What is posted: amounts as plain JSON numbers, exact."""
    told = {"event": event, "timestamp": format_instant(at), "delivery_id": delivery_id, "data": data}
    return json_text(told).encode()


def headers_of(*, event: str, delivery_id: str, body: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of one attempt. `secrets`: the current one first, then those that are good a while longer."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "LLM-CostOps-Webhook/1",
        "X-LLM-CostOps-Event": event,
        "X-LLM-CostOps-Delivery-ID": delivery_id,
        "X-LLM-CostOps-Timestamp": timestamp,
        "X-LLM-CostOps-Signature": f"sha256={hmac.new(secrets[0].encode(), body, sha256).hexdigest()}",
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_standard(secret, delivery_id, timestamp, body) for secret in secrets),
    }


def _standard(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.new(_key(secret), signed, sha256).digest()).decode()
