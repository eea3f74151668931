"""The ledger: usage with its costs, rollups, prices, organisations and keys.

Both databases hold the same columns. PostgreSQL keeps usage and costs in monthly partitions, made when they are needed,
with the widest columns first so that nothing is lost to padding; SQLite keeps them in the order of their key.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_USAGE = """
CREATE TABLE usage_records (
    timestamp {instant} NOT NULL,
    uid {big} NOT NULL,
    received_at {instant} NOT NULL,
    input_tokens {big} NOT NULL,
    output_tokens {big} NOT NULL,
    cost_e10 {big},
    cached_tokens {big},
    cache_write_tokens {big},
    reasoning_tokens {big},
    reported_cost_e10 {big},
    price_id {int},
    latency_ms {int},
    cost_status {small} NOT NULL,
    flags {small},
    organization_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model_id TEXT NOT NULL,
    currency TEXT,
    project_id TEXT,
    user_id TEXT,
    team_id TEXT,
    session_id TEXT,
    api_key_id TEXT,
    service_tier TEXT,
    processing TEXT,
    region TEXT,
    tags {json},
    metadata {json},
    meters {json},
    PRIMARY KEY (organization_id, timestamp, uid)
) {by_month}
"""

_COSTS = """
CREATE TABLE cost_records (
    timestamp {instant} NOT NULL,
    uid {big} NOT NULL,
    created_at {instant} NOT NULL,
    cost_e10 {big},
    version {int} NOT NULL,
    price_id {int},
    cost_status {small} NOT NULL,
    organization_id TEXT NOT NULL,
    currency TEXT,
    reason TEXT NOT NULL,
    PRIMARY KEY (organization_id, timestamp, uid, version)
) {by_month}
"""

_KEYS = """
CREATE TABLE idempotency_keys (
    key_hash {hash} NOT NULL PRIMARY KEY,
    timestamp {big} NOT NULL,
    payload_hash {big} NOT NULL,
    organization {int} NOT NULL
) {by_key}
"""

_ROLLUPS = """
CREATE TABLE rollups (
    cube_set {int} NOT NULL,
    bucket {int} NOT NULL,
    dimension {int} NOT NULL,
    series {int} NOT NULL,
    requests {big} NOT NULL {whole_requests},
    input_tokens {big} NOT NULL {whole_input_tokens},
    output_tokens {big} NOT NULL {whole_output_tokens},
    cached_tokens {big} NOT NULL {whole_cached_tokens},
    cost_e10 {big} NOT NULL {whole_cost_e10},
    PRIMARY KEY (cube_set, bucket, dimension, series)
) {by_key}
"""

_OTHERS = (
    """
    CREATE TABLE organizations (
        number {serial},
        organization_id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        created_at {instant} NOT NULL
    )
    """,
    """
    CREATE TABLE cube_sets (
        id {serial},
        organization {int} NOT NULL,
        cube {int} NOT NULL,
        name TEXT NOT NULL,
        UNIQUE (organization, cube, name)
    )
    """,
    """
    CREATE TABLE dimension_values (
        id {serial},
        organization {int} NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        UNIQUE (organization, kind, name, value)
    )
    """,
    """
    CREATE TABLE cost_series (
        id {serial},
        provider TEXT NOT NULL,
        model_id TEXT NOT NULL,
        currency TEXT NOT NULL,
        status {small} NOT NULL,
        UNIQUE (provider, model_id, currency, status)
    )
    """,
    """
    CREATE TABLE prices (
        number {serial},
        organization_id TEXT,
        layer TEXT NOT NULL,
        provider TEXT NOT NULL,
        model_id TEXT NOT NULL,
        currency TEXT NOT NULL,
        rates {json} NOT NULL,
        effective_from {instant},
        effective_to {instant},
        source TEXT NOT NULL,
        created_at {instant} NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX prices_begin ON prices
        (provider, model_id, layer, COALESCE(organization_id, ''), COALESCE(effective_from, {beginning}))
    """,
    """
    CREATE TABLE model_aliases (
        position {int} NOT NULL PRIMARY KEY,
        provider TEXT NOT NULL,
        kind TEXT NOT NULL,
        pattern TEXT NOT NULL,
        model_id TEXT NOT NULL
    )
    """,
    "CREATE TABLE price_book_version (id {int} NOT NULL PRIMARY KEY, version {big} NOT NULL)",
    "INSERT INTO price_book_version (id, version) VALUES (1, 0)",
    """
    CREATE TABLE api_keys (
        key_id TEXT NOT NULL PRIMARY KEY,
        organization_id TEXT,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        permissions {json} NOT NULL,
        salt {bytes} NOT NULL,
        secret_hash {bytes} NOT NULL,
        created_at {instant} NOT NULL,
        expires_at {instant},
        revoked_at {instant}
    )
    """,
    """
    CREATE INDEX usage_records_unpriced ON usage_records (organization_id, provider, model_id, timestamp)
        WHERE cost_status = 5
    """,
    """
    CREATE INDEX cost_records_unpriced ON cost_records (organization_id, timestamp, uid)
        WHERE cost_status = 5
    """,
)

_MEASURES = ("requests", "input_tokens", "output_tokens", "cached_tokens", "cost_e10")

# SQLite turns a sum beyond 64 bits into a float without a word: the checks refuse that.
_SQLITE = {
    "instant": "INTEGER",
    "big": "INTEGER",
    "int": "INTEGER",
    "small": "INTEGER",
    "json": "TEXT",
    "bytes": "BLOB",
    "hash": "BLOB",
    "serial": "INTEGER PRIMARY KEY",
    "beginning": "-9000000000000000000",
    "by_month": "WITHOUT ROWID",
    "by_key": "WITHOUT ROWID",
} | {f"whole_{name}": f"CHECK (typeof({name}) = 'integer')" for name in _MEASURES}

_POSTGRES = {
    "instant": "TIMESTAMPTZ",
    "big": "BIGINT",
    "int": "INTEGER",
    "small": "SMALLINT",
    "json": "JSONB",
    "bytes": "BYTEA",
    "hash": "UUID",
    "serial": "INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    "beginning": "'-infinity'::timestamptz",
    "by_month": "PARTITION BY RANGE (timestamp)",
    "by_key": "",
} | {f"whole_{name}": "" for name in _MEASURES}

_TABLES = (
    "api_keys",
    "price_book_version",
    "model_aliases",
    "prices",
    "cost_series",
    "dimension_values",
    "cube_sets",
    "organizations",
    "rollups",
    "idempotency_keys",
    "cost_records",
    "usage_records",
)


def upgrade() -> None:
    words = _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE
    for statement in (_USAGE, _COSTS, _KEYS, _ROLLUPS, *_OTHERS):
        op.get_bind().exec_driver_sql(statement.format(**words))


def downgrade() -> None:
    for table in _TABLES:
        op.get_bind().exec_driver_sql(f"DROP TABLE {table}")
