"""Refused requests as the audit trail keeps them: equal ones folded into one, every text cut to a bounded length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

UNKNOWN = "unknown"
"""The actor of requests without a valid credential."""

OTHERS = "others"
"""The resource of refusals that were too many to be told apart."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_ACTOR, _RESOURCE, _ADDRESS, _REQUEST, _PERMISSION, _REASON = 80, 160, 64, 128, 64, 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """So many refusals of the same request by the same caller; `request_id` and `reason` are those of the first."""

    organization_id: str | None
    actor: str
    resource: str
    status: int | None
    first_at: datetime
    last_at: datetime
    count: int = 1
    permission: str | None = None
    reason: str | None = None
    address: str | None = None
    request_id: str | None = None

    def detail(self) -> dict[str, Any]:
        """What the audit event says beside who and where."""
        said = {
            "status": self.status,
            "required_permission": self.permission,
            "reason": self.reason,
            "count": self.count,
            "first_at": self.first_at,
            "last_at": self.last_at,
        }
        return {name: value for name, value in said.items() if value is not None}

    def cut(self) -> Refusal:
        """The same with texts that a caller cannot blow up."""
        return replace(
            self,
            actor=self.actor[:_ACTOR],
            resource=self.resource[:_RESOURCE],
            permission=_cut(self.permission, _PERMISSION),
            reason=_cut(self.reason, _REASON),
            address=_cut(self.address, _ADDRESS),
            request_id=_cut(self.request_id, _REQUEST),
        )


def known_method(method: str) -> str:
    """An HTTP method; what a caller made up is `OTHER`."""
    return method if method in _METHODS else "OTHER"


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]
