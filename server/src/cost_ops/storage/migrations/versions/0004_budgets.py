"""Budgets: what is watched, what was spent of it, what is held; alerts; the outbox, channels, deliveries and jobs."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMNS = (("dimension_version", "watched", "{big} NOT NULL DEFAULT 0"),)

_TABLES = {
    "budgets": """
    CREATE TABLE budgets (
        number {serial},
        organization INTEGER NOT NULL,
        organization_id TEXT NOT NULL,
        budget_id TEXT NOT NULL,
        name TEXT NOT NULL,
        parent_id TEXT,
        amount_e10 {big} NOT NULL,
        currency TEXT NOT NULL,
        enforcement TEXT NOT NULL,
        document {json} NOT NULL,
        version {int} NOT NULL,
        created_at {instant} NOT NULL,
        created_by TEXT NOT NULL,
        updated_at {instant} NOT NULL,
        silenced_until {instant},
        ended_at {instant}
    )
    """,
    "budget_spends": """
    CREATE TABLE budget_spends (
        budget {int} NOT NULL,
        period_start {big} NOT NULL,
        day {int} NOT NULL,
        currency TEXT NOT NULL,
        organization {int} NOT NULL,
        base_e10 {big} NOT NULL DEFAULT 0,
        base_requests {big} NOT NULL DEFAULT 0,
        folded_e10 {big} NOT NULL DEFAULT 0,
        folded_requests {big} NOT NULL DEFAULT 0,
        kept {int} NOT NULL DEFAULT 0,
        PRIMARY KEY (budget, period_start, day, currency)
    )
    """,
    "leases": """
    CREATE TABLE leases (
        lease_id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL,
        key TEXT,
        request_hash {big} NOT NULL,
        status TEXT NOT NULL,
        amount_e10 {big} NOT NULL,
        currency TEXT NOT NULL,
        usage {json} NOT NULL,
        holds {json} NOT NULL,
        created_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        closed_at {instant},
        usage_id TEXT,
        settled_e10 {big},
        settled_currency TEXT
    )
    """,
    "lease_holds": """
    CREATE TABLE lease_holds (
        budget {int} NOT NULL,
        lease_id TEXT NOT NULL,
        organization {int} NOT NULL,
        period_start {big} NOT NULL,
        expires_at {instant} NOT NULL,
        amount_e10 {big} NOT NULL,
        PRIMARY KEY (budget, lease_id)
    )
    """,
    "budget_holds": """
    CREATE TABLE budget_holds (
        budget {int} NOT NULL,
        period_start {big} NOT NULL,
        organization {int} NOT NULL,
        held_e10 {big} NOT NULL,
        PRIMARY KEY (budget, period_start)
    )
    """,
    "budget_alerts": """
    CREATE TABLE budget_alerts (
        alert_id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL,
        budget_id TEXT NOT NULL,
        period_start {instant} NOT NULL,
        kind TEXT NOT NULL,
        threshold TEXT NOT NULL,
        fired_at {instant} NOT NULL,
        spend_e10 {big} NOT NULL,
        limit_e10 {big} NOT NULL,
        currency TEXT NOT NULL,
        detail {json} NOT NULL,
        recovered_at {instant},
        acknowledged_at {instant},
        acknowledged_by TEXT,
        escalated_at {instant}
    )
    """,
    "outbox_events": """
    CREATE TABLE outbox_events (
        number {bigserial},
        organization_id TEXT NOT NULL,
        event TEXT NOT NULL,
        at {instant} NOT NULL,
        data {json}
    )
    """,
    "channels": """
    CREATE TABLE channels (
        channel_id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        events {json} NOT NULL,
        routing {json} NOT NULL,
        config {json} NOT NULL,
        secret {bytes},
        created_at {instant} NOT NULL,
        created_by TEXT NOT NULL,
        updated_at {instant} NOT NULL,
        disabled_at {instant},
        disabled_reason TEXT
    )
    """,
    "deliveries": """
    CREATE TABLE deliveries (
        delivery_id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT NOT NULL,
        channel_id TEXT NOT NULL,
        event TEXT NOT NULL,
        event_number {big},
        at {instant} NOT NULL,
        data {json},
        status TEXT NOT NULL,
        attempts {int} NOT NULL,
        next_attempt_at {instant},
        leased_until {instant},
        worker TEXT,
        created_at {instant} NOT NULL,
        finished_at {instant},
        group_key TEXT,
        sent_with TEXT,
        redelivery_of TEXT
    )
    """,
    "delivery_attempts": """
    CREATE TABLE delivery_attempts (
        delivery_id TEXT NOT NULL,
        attempt {int} NOT NULL,
        organization_id TEXT NOT NULL,
        at {instant} NOT NULL,
        duration_ms {int} NOT NULL,
        status {int},
        error TEXT,
        answer TEXT,
        PRIMARY KEY (delivery_id, attempt)
    )
    """,
    "data_keys": """
    CREATE TABLE data_keys (
        key_id TEXT NOT NULL PRIMARY KEY,
        wrapped {bytes} NOT NULL,
        wrapped_by TEXT,
        created_at {instant} NOT NULL,
        retired_at {instant}
    )
    """,
    "jobs": """
    CREATE TABLE jobs (
        job_id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        slot TEXT,
        organization_id TEXT,
        payload {json} NOT NULL,
        status TEXT NOT NULL,
        attempts {int} NOT NULL,
        max_attempts {int} NOT NULL,
        run_at {instant} NOT NULL,
        leased_until {instant},
        worker TEXT,
        created_at {instant} NOT NULL,
        started_at {instant},
        finished_at {instant},
        result {json},
        error TEXT
    )
    """,
}

_INDEXES = (
    "CREATE UNIQUE INDEX budgets_by_id ON budgets (organization_id, budget_id) WHERE ended_at IS NULL",
    "CREATE INDEX leases_by_expiry ON leases (expires_at) WHERE status = 'held'",
    "CREATE UNIQUE INDEX leases_by_key ON leases (organization_id, key) WHERE key IS NOT NULL",
    "CREATE INDEX lease_holds_by_lease ON lease_holds (lease_id)",
    "CREATE INDEX lease_holds_by_expiry ON lease_holds (budget, expires_at)",
    "CREATE UNIQUE INDEX budget_alerts_once"
    " ON budget_alerts (organization_id, budget_id, period_start, kind, threshold)",
    "CREATE INDEX budget_alerts_unanswered ON budget_alerts (fired_at)"
    " WHERE acknowledged_at IS NULL AND escalated_at IS NULL AND recovered_at IS NULL",
    "CREATE INDEX channels_by_organization ON channels (organization_id)",
    "CREATE INDEX deliveries_due ON deliveries (channel_id, next_attempt_at) WHERE status = 'pending'",
    "CREATE INDEX deliveries_leased ON deliveries (channel_id) WHERE leased_until IS NOT NULL",
    "CREATE INDEX deliveries_by_channel ON deliveries (organization_id, channel_id, created_at)",
    "CREATE UNIQUE INDEX deliveries_once ON deliveries (channel_id, event_number) WHERE redelivery_of IS NULL",
    "CREATE UNIQUE INDEX jobs_by_slot ON jobs (slot)",
    "CREATE INDEX jobs_due ON jobs (run_at) WHERE status IN ('queued', 'running')",
    "CREATE INDEX jobs_by_kind ON jobs (kind, created_at)",
)

_SQLITE = {
    "instant": "INTEGER",
    "big": "INTEGER",
    "int": "INTEGER",
    "json": "TEXT",
    "bytes": "BLOB",
    "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "bigserial": "INTEGER PRIMARY KEY AUTOINCREMENT",
}
_POSTGRES = {
    "instant": "TIMESTAMPTZ",
    "big": "BIGINT",
    "int": "INTEGER",
    "json": "JSONB",
    "bytes": "BYTEA",
    "serial": "INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    "bigserial": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
}


def upgrade() -> None:
    words = _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE
    statements = [f"ALTER TABLE {table} ADD COLUMN {name} {kind}" for table, name, kind in _COLUMNS]
    for statement in (*statements, *_TABLES.values(), *_INDEXES):
        op.get_bind().exec_driver_sql(statement.format(**words))


def downgrade() -> None:
    for table in _TABLES:
        op.get_bind().exec_driver_sql(f"DROP TABLE {table}")
    for table, name, _ in _COLUMNS:
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")
