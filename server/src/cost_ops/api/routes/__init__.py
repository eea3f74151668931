"""Every route but the hot path, by noun; `OPERATIONS` is all of them."""

from __future__ import annotations

from cost_ops.api.operations import Operation
from cost_ops.api.routes import (
    access,
    alerts,
    analytics,
    audit,
    auth,
    budgets,
    channels,
    contracts,
    corrections,
    costs,
    estimates,
    exchange_rates,
    health,
    ingest,
    jobs,
    leases,
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
    webhooks,
)

OPERATIONS: tuple[Operation, ...] = tuple(
    operation
    for module in (
        ingest,
        telemetry,
        usage,
        corrections,
        costs,
        estimates,
        repricing,
        analytics,
        price_reviews,
        pricing,
        contracts,
        budgets,
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
        webhooks,
        channels,
        audit,
        leases,
        alerts,
        jobs,
        health,
    )
    for operation in module.routes.operations
)
"""All routes; those without a handler are answered by the gateway."""
