"""The tables of the outbox, of who is told, of deliveries and of jobs.

The schema itself is written out in `migrations/versions`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from cost_ops.storage.tables import Instant, json_column, metadata

outbox_events = Table(
    "outbox_events",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("data", json_column),
)

channels = Table(
    "channels",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("events", json_column, nullable=False),
    Column("routing", json_column, nullable=False),
    Column("config", json_column, nullable=False),
    Column("secret", LargeBinary),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("disabled_reason", Text),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("event_number", BigInteger),
    Column("at", Instant, nullable=False),
    Column("data", json_column),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("leased_until", Instant),
    Column("worker", Text),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("group_key", Text),
    Column("sent_with", Text),
    Column("redelivery_of", Text),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("organization_id", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("answer", Text),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("wrapped_by", Text),
    Column("created_at", Instant, nullable=False),
    Column("retired_at", Instant),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("slot", Text),
    Column("organization_id", Text),
    Column("payload", json_column, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("run_at", Instant, nullable=False),
    Column("leased_until", Instant),
    Column("worker", Text),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("result", json_column),
    Column("error", Text),
)
