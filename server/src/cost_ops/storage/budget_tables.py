"""The tables of budgets, what is spent and held of them, and their alerts.

The schema itself is written out in `migrations/versions`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from cost_ops.storage.tables import Instant, json_column, metadata

budgets = Table(
    "budgets",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization", Integer, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("budget_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("parent_id", Text),
    Column("amount_e10", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("enforcement", Text, nullable=False),
    Column("document", json_column, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("silenced_until", Instant),
    Column("ended_at", Instant),
)

budget_spends = Table(
    "budget_spends",
    metadata,
    Column("budget", Integer, primary_key=True, autoincrement=False),
    Column("period_start", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("currency", Text, primary_key=True),
    Column("organization", Integer, nullable=False),
    Column("base_e10", BigInteger, nullable=False, server_default="0"),
    Column("base_requests", BigInteger, nullable=False, server_default="0"),
    Column("folded_e10", BigInteger, nullable=False, server_default="0"),
    Column("folded_requests", BigInteger, nullable=False, server_default="0"),
    Column("kept", Integer, nullable=False, server_default="0"),
)

leases = Table(
    "leases",
    metadata,
    Column("lease_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("key", Text),
    Column("request_hash", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("amount_e10", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("usage", json_column, nullable=False),
    Column("holds", json_column, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("usage_id", Text),
    Column("settled_e10", BigInteger),
    Column("settled_currency", Text),
)

lease_holds = Table(
    "lease_holds",
    metadata,
    Column("budget", Integer, primary_key=True, autoincrement=False),
    Column("lease_id", Text, primary_key=True),
    Column("organization", Integer, nullable=False),
    Column("period_start", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("amount_e10", BigInteger, nullable=False),
)

budget_holds = Table(
    "budget_holds",
    metadata,
    Column("budget", Integer, primary_key=True, autoincrement=False),
    Column("period_start", BigInteger, primary_key=True, autoincrement=False),
    Column("organization", Integer, nullable=False),
    Column("held_e10", BigInteger, nullable=False),
)

budget_alerts = Table(
    "budget_alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("budget_id", Text, nullable=False),
    Column("period_start", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("threshold", Text, nullable=False),
    Column("fired_at", Instant, nullable=False),
    Column("spend_e10", BigInteger, nullable=False),
    Column("limit_e10", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("detail", json_column, nullable=False),
    Column("recovered_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Column("escalated_at", Instant),
)
