"""Which calls are tracked, and with what: all after `instrument()`, those of one client after `wrap(client)`."""

from __future__ import annotations

from typing import Any, Optional

from llm_cost_ops.tracking import Tracker

_MARK = "__llm_cost_ops_tracker__"
_PROVIDER = "__llm_cost_ops_provider__"
_EVERYWHERE: list[Tracker] = []


def track_everywhere(tracker: Optional[Tracker]) -> None:
    """Track all calls with this tracker from here on; None: those of wrapped clients alone."""
    _EVERYWHERE[:] = [] if tracker is None else [tracker]


def mark(client: Any, tracker: Tracker) -> None:
    """Track the calls of this client with this tracker, whatever else holds."""
    object.__setattr__(client, _MARK, tracker)


def marked(client: Any) -> Optional[Tracker]:
    """What a client was marked with."""
    found = getattr(client, "__dict__", {}).get(_MARK)
    return found if isinstance(found, Tracker) else None


def tracker_of(client: Any = None) -> Optional[Tracker]:
    """What the calls of a provider's client are tracked with; None where they are not."""
    return marked(client) or (_EVERYWHERE[0] if _EVERYWHERE else None)


def name_provider(client: Any, provider: str) -> None:
    """Say who bills the calls of this client."""
    object.__setattr__(client, _PROVIDER, provider)


def named_provider(client: Any) -> Optional[str]:
    """Who was said to bill the calls of a client."""
    found = getattr(client, "__dict__", {}).get(_PROVIDER)
    return found if isinstance(found, str) else None


def hand_on(client: Any, copied: Any) -> None:
    """Mark a copy of a client as the client is marked."""
    for name in (_MARK, _PROVIDER):
        if name in getattr(client, "__dict__", {}):
            object.__setattr__(copied, name, client.__dict__[name])
