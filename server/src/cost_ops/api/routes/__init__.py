"""Every route but the hot path, by noun; `OPERATIONS` is all of them."""

from __future__ import annotations

from cost_ops.api.operations import Operation
from cost_ops.api.routes import (
    analytics,
    audit,
    auth,
    contracts,
    corrections,
    costs,
    exchange_rates,
    health,
    ingest,
    organizations,
    price_reviews,
    pricing,
    repricing,
    telemetry,
    usage,
)

OPERATIONS: tuple[Operation, ...] = tuple(
    operation
    for module in (
        ingest,
        telemetry,
        usage,
        corrections,
        costs,
        repricing,
        analytics,
        price_reviews,
        pricing,
        contracts,
        exchange_rates,
        auth,
        organizations,
        audit,
        health,
    )
    for operation in module.routes.operations
)
"""All routes; those without a handler are answered by the gateway."""
