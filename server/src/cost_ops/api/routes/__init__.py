"""Every route but the hot path, by noun; `OPERATIONS` is all of them."""

from __future__ import annotations

from cost_ops.api.operations import Operation
from cost_ops.api.routes import (
    access,
    analytics,
    audit,
    auth,
    contracts,
    corrections,
    costs,
    exchange_rates,
    health,
    ingest,
    login,
    organizations,
    policies,
    price_reviews,
    pricing,
    projects,
    repricing,
    roles,
    teams,
    telemetry,
    usage,
    users,
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
        login,
        users,
        organizations,
        roles,
        policies,
        projects,
        teams,
        access,
        audit,
        health,
    )
    for operation in module.routes.operations
)
"""All routes; those without a handler are answered by the gateway."""
