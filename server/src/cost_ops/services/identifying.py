"""What the holder of an API key is, as it stands in the database now, and when keys were last used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cost_ops.domain.access import ApiKey, Identified
from cost_ops.domain.errors import Unauthorized
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.principals import principal_of_key


def identify_key(ctx: Context, known: ApiKey) -> Identified:
    """The holder of a key whose secret was verified before.

    Raises Unauthorized where the key was revoked, is over, or is not the one that was verified.
    """
    with ctx.storage.installation() as installation:
        standing = installation.credentials.key(known.key_id)
    if standing is None or not standing.key.usable_at(ctx.clock()):
        raise Unauthorized
    if (standing.key.salt, standing.key.secret_hash) != (known.salt, known.secret_hash):
        raise Unauthorized
    return Identified(principal_of_key(standing), standing.key.expires_at)


def note_used(ctx: Context, last_used: Sequence[tuple[str, datetime]]) -> None:
    """Keep when keys were last used."""
    with ctx.storage.installation() as installation:
        installation.api_keys.used(last_used)
