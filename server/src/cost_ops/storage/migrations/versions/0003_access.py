"""Access: people, roles, policies, sessions, limits, and audit events in chains.

An organisation's audit events form a chain: each holds the hash of itself and, in it, of the one before. Events from
before this revision are chained here, in the order of their numbers. Row-level security on PostgreSQL is set up by
`cost_ops.storage.row_security`, as not every database user may create the role it needs.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("organizations", "plan", "TEXT NOT NULL DEFAULT 'enterprise'"),
    ("organizations", "limits", "{json}"),
    ("api_keys", "projects", "{json}"),
    ("api_keys", "created_by", "TEXT"),
    ("api_keys", "replaced_by", "TEXT"),
    ("api_keys", "last_used_at", "{instant}"),
    ("audit_events", "address", "TEXT"),
    ("audit_events", "chain", "TEXT NOT NULL DEFAULT ''"),
    ("audit_events", "sequence", "{big} NOT NULL DEFAULT 0"),
    ("audit_events", "hash", "{bytes} NOT NULL DEFAULT {no_bytes}"),
)

_TABLES = {
    "projects": """
    CREATE TABLE projects (
        organization_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        name TEXT NOT NULL,
        team_id TEXT,
        created_at {instant} NOT NULL,
        archived_at {instant},
        PRIMARY KEY (organization_id, project_id)
    )
    """,
    "teams": """
    CREATE TABLE teams (
        organization_id TEXT NOT NULL,
        team_id TEXT NOT NULL,
        name TEXT NOT NULL,
        created_at {instant} NOT NULL,
        PRIMARY KEY (organization_id, team_id)
    )
    """,
    "users": """
    CREATE TABLE users (
        user_id TEXT NOT NULL PRIMARY KEY,
        email TEXT NOT NULL UNIQUE,
        created_at {instant} NOT NULL,
        password_hash TEXT,
        password_changed_at {instant},
        disabled_at {instant}
    )
    """,
    "memberships": """
    CREATE TABLE memberships (
        organization_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        email TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        projects {json} NOT NULL,
        teams {json} NOT NULL,
        created_at {instant} NOT NULL,
        created_by TEXT NOT NULL,
        last_login_at {instant},
        PRIMARY KEY (organization_id, user_id)
    )
    """,
    "roles": """
    CREATE TABLE roles (
        organization_id TEXT NOT NULL,
        name TEXT NOT NULL,
        permissions {json} NOT NULL,
        description TEXT NOT NULL,
        created_at {instant} NOT NULL,
        PRIMARY KEY (organization_id, name)
    )
    """,
    "policies": """
    CREATE TABLE policies (
        organization_id TEXT NOT NULL,
        policy_id TEXT NOT NULL,
        name TEXT NOT NULL,
        effect TEXT NOT NULL,
        subjects {json} NOT NULL,
        actions {json} NOT NULL,
        conditions {json} NOT NULL,
        created_at {instant} NOT NULL,
        PRIMARY KEY (organization_id, policy_id)
    )
    """,
    "sessions": """
    CREATE TABLE sessions (
        session_id TEXT NOT NULL PRIMARY KEY,
        user_id TEXT NOT NULL,
        organization_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        generation {int} NOT NULL,
        secret_hash {bytes},
        created_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        revoked_at {instant},
        address TEXT,
        user_agent TEXT
    )
    """,
    "signing_keys": """
    CREATE TABLE signing_keys (
        kid TEXT NOT NULL PRIMARY KEY,
        secret {bytes} NOT NULL,
        created_at {instant} NOT NULL,
        retired_at {instant}
    )
    """,
    "one_time_tokens": """
    CREATE TABLE one_time_tokens (
        token_hash {bytes} NOT NULL PRIMARY KEY,
        user_id TEXT NOT NULL,
        purpose TEXT NOT NULL,
        created_at {instant} NOT NULL,
        expires_at {instant} NOT NULL
    )
    """,
    "limit_windows": """
    CREATE TABLE limit_windows (
        holder TEXT NOT NULL,
        window_seconds {int} NOT NULL,
        started {big} NOT NULL,
        used {big} NOT NULL,
        PRIMARY KEY (holder, window_seconds)
    )
    """,
    "audit_chains": """
    CREATE TABLE audit_chains (chain TEXT NOT NULL PRIMARY KEY, length {big} NOT NULL, head {bytes} NOT NULL)
    """,
}

_INDEXES = (
    "CREATE INDEX memberships_by_user ON memberships (user_id)",
    "CREATE INDEX sessions_by_user ON sessions (user_id)",
    "CREATE INDEX one_time_tokens_by_user ON one_time_tokens (user_id)",
    "CREATE INDEX api_keys_by_organization ON api_keys (organization_id)",
)
_CHAINED = "CREATE UNIQUE INDEX audit_events_in_chain ON audit_events (chain, sequence)"

_SQLITE = {
    "instant": "INTEGER",
    "big": "INTEGER",
    "int": "INTEGER",
    "json": "TEXT",
    "bytes": "BLOB",
    "no_bytes": "x''",
}
_POSTGRES = {
    "instant": "TIMESTAMPTZ",
    "big": "BIGINT",
    "int": "INTEGER",
    "json": "JSONB",
    "bytes": "BYTEA",
    "no_bytes": "''",
}


def upgrade() -> None:
    words = _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE
    statements = [f"ALTER TABLE {table} ADD COLUMN {name} {kind}" for table, name, kind in _COLUMNS]
    for statement in (*statements, *_TABLES.values(), *_INDEXES):
        op.get_bind().exec_driver_sql(statement.format(**words))
    _chain_events()
    op.get_bind().exec_driver_sql(_CHAINED)


def _chain_events() -> None:
    """Put the events that are there into chains, as `cost_ops.domain.audit` makes them in this revision."""
    bind = op.get_bind()
    heads: dict[str, tuple[int, bytes]] = {}
    events = "SELECT number, organization_id, at, actor, action, resource, request_id, detail FROM audit_events"
    for row in bind.execute(text(f"{events} ORDER BY number")).all():
        chain = row.organization_id or ""
        length, head = heads.get(chain, (0, b""))
        content = [
            chain, length + 1, head.hex(), _microseconds(row.at), row.actor, row.action, row.resource,
            row.request_id, None, _parsed(row.detail),
        ]  # fmt: skip
        written = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        hashed = sha256(written.encode()).digest()
        heads[chain] = (length + 1, hashed)
        bind.execute(
            text("UPDATE audit_events SET chain = :chain, sequence = :sequence, hash = :hash WHERE number = :number"),
            {"chain": chain, "sequence": length + 1, "hash": hashed, "number": row.number},
        )
    for chain, (length, head) in heads.items():
        bind.execute(
            text("INSERT INTO audit_chains (chain, length, head) VALUES (:chain, :length, :head)"),
            {"chain": chain, "length": length, "head": head},
        )


def _microseconds(at: Any) -> int:
    if isinstance(at, datetime):
        since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return int(at)


def _parsed(detail: Any) -> Any:
    return json.loads(detail) if isinstance(detail, str) else detail


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP INDEX audit_events_in_chain")
    op.get_bind().exec_driver_sql("DROP INDEX api_keys_by_organization")
    for table in _TABLES:
        op.get_bind().exec_driver_sql(f"DROP TABLE {table}")
    for table, name, _ in _COLUMNS:
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")
