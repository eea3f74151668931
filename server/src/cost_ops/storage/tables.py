"""The tables as both databases have them. The schema itself is written out in `migrations/versions`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP, UUID
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from cost_ops.domain.periods import from_us, to_us


class Instant(TypeDecorator[int]):
    """Microseconds since 1970 in Python and on SQLite, `timestamptz` on PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type of an engine."""
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if postgres else BigInteger())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """To the database."""
        return from_us(value) if value is not None and dialect.name == "postgresql" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """From the database."""
        return to_us(value) if value is not None and dialect.name == "postgresql" else value


metadata = MetaData()
json_column = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_hash = LargeBinary(16).with_variant(UUID(as_uuid=True), "postgresql")

organizations = Table(
    "organizations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("plan", Text, nullable=False, server_default="enterprise"),
    Column("limits", json_column),
)

usage_records = Table(
    "usage_records",
    metadata,
    Column("timestamp", Instant, primary_key=True),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("received_at", Instant, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_e10", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("reported_cost_e10", BigInteger),
    Column("price_id", Integer),
    Column("latency_ms", Integer),
    Column("cost_status", SmallInteger, nullable=False),
    Column("flags", SmallInteger),
    Column("organization_id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("currency", Text),
    Column("project_id", Text),
    Column("user_id", Text),
    Column("team_id", Text),
    Column("session_id", Text),
    Column("api_key_id", Text),
    Column("service_tier", Text),
    Column("processing", Text),
    Column("region", Text),
    Column("tags", json_column),
    Column("metadata", json_column),
    Column("meters", json_column),
    Column("evidence", json_column),
)

cost_records = Table(
    "cost_records",
    metadata,
    Column("timestamp", Instant, primary_key=True),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", Instant, nullable=False),
    Column("cost_e10", BigInteger),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("price_id", Integer),
    Column("cost_status", SmallInteger, nullable=False),
    Column("organization_id", Text, primary_key=True),
    Column("currency", Text),
    Column("reason", Text, nullable=False),
    Column("run", Integer),
    Column("detail", json_column),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", _hash, primary_key=True),
    Column("timestamp", BigInteger, nullable=False),
    Column("payload_hash", BigInteger, nullable=False),
    Column("organization", Integer, nullable=False),
    Column("uid", BigInteger),
)

cube_sets = Table(
    "cube_sets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization", Integer, nullable=False),
    Column("cube", Integer, nullable=False),
    Column("name", Text, nullable=False),
)

dimension_values = Table(
    "dimension_values",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organization", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
)

dimension_version = Table(
    "dimension_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("watched", BigInteger, nullable=False, server_default="0"),
)

cost_series = Table(
    "cost_series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", SmallInteger, nullable=False),
)

rollups = Table(
    "rollups",
    metadata,
    Column("cube_set", Integer, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("dimension", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cost_e10", BigInteger, nullable=False),
)

prices = Table(
    "prices",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text),
    Column("layer", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("rates", json_column, nullable=False),
    Column("effective_from", Instant),
    Column("effective_to", Instant),
    Column("source", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("confidence", Text),
    Column("detail", json_column),
    Column("base_price_id", Integer),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("model_id", Text, nullable=False),
)

price_book_version = Table(
    "price_book_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("organization_id", Text),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("permissions", json_column, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("projects", json_column),
    Column("created_by", Text),
    Column("replaced_by", Text),
    Column("last_used_at", Instant),
)

usage_revisions = Table(
    "usage_revisions",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("timestamp", Instant, primary_key=True),
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("superseded_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("record", json_column, nullable=False),
)

reprice_runs = Table(
    "reprice_runs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text),
    Column("request", json_column, nullable=False),
    Column("status", Text, nullable=False),
    Column("progress", json_column, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("request_id", Text),
    Column("detail", json_column),
    Column("address", Text),
    Column("chain", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

price_reviews = Table(
    "price_reviews",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("detail", json_column, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Text),
)

exchange_rates = Table(
    "exchange_rates",
    metadata,
    Column("base", Text, primary_key=True),
    Column("quote", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("rate", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

contracts = Table(
    "contracts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("terms", json_column, nullable=False),
    Column("effective_from", Instant),
    Column("effective_to", Instant),
    Column("note", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

contract_months = Table(
    "contract_months",
    metadata,
    Column("contract", Integer, primary_key=True, autoincrement=False),
    Column("month", Integer, primary_key=True, autoincrement=False),
    Column("tier", Integer, nullable=False),
    Column("volume", BigInteger, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("applied", Boolean, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
