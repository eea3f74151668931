"""What a service function is given: one typed object, built in `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cost_ops.domain.access import Principal
from cost_ops.domain.audit import Action, AuditEvent, actor_of
from cost_ops.domain.extraction import ShapeBook
from cost_ops.domain.pricebook import PriceBook
from cost_ops.interfaces.clock import Clock
from cost_ops.interfaces.storage import Storage


class BookShelf(Protocol):
    """Holds the current price book of this process."""

    def current(self) -> PriceBook:
        """The newest book known here; loaded at first use."""

    def refresh(self) -> PriceBook:
        """The book as it stands in the database; loaded anew where its version moved."""


@dataclass(frozen=True, slots=True)
class IngestRules:
    """How usage is taken in. `strict`: a model without a price is refused with 404 instead of kept as `unpriced`."""

    strict: bool = False
    future_tolerance_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Context:
    """The world as services see it, and who asks."""

    storage: Storage
    books: BookShelf
    clock: Clock
    random_bits: Callable[[int], int]
    """n → n random bits as an int."""

    principal: Principal
    shapes: ShapeBook
    """How providers' payloads are read."""

    rules: IngestRules = IngestRules()
    request_id: str | None = None
    """The request that this is part of, where there is one."""

    address: str | None = None
    """Where the request came from, where there is one."""

    def event(
        self,
        action: Action,
        resource: str,
        *,
        organization_id: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> AuditEvent:
        """What is kept of a change that is made now: who asks, from where, in which request.

        `detail` explains the change (`before` and `after` where something was changed), no secrets.
        """
        return AuditEvent(
            action=action,
            resource=resource,
            actor=actor_of(self.principal),
            at=self.clock(),
            organization_id=organization_id,
            request_id=self.request_id,
            address=self.address,
            detail=detail,
        )
