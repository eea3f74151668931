"""The tables as both databases have them. The schema itself is written out in `migrations/versions`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
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
_json = JSON().with_variant(JSONB(), "postgresql")
_hash = LargeBinary(16).with_variant(UUID(as_uuid=True), "postgresql")

organizations = Table(
    "organizations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
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
    Column("tags", _json),
    Column("metadata", _json),
    Column("meters", _json),
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
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", _hash, primary_key=True),
    Column("timestamp", BigInteger, nullable=False),
    Column("payload_hash", BigInteger, nullable=False),
    Column("organization", Integer, nullable=False),
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
    Column("rates", _json, nullable=False),
    Column("effective_from", Instant),
    Column("effective_to", Instant),
    Column("source", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
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
    Column("permissions", _json, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)
