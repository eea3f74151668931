"""The tables of people, credentials, roles and limits. The schema itself is written out in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from cost_ops.storage.tables import Instant, json_column, metadata

projects = Table(
    "projects",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("project_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("team_id", Text),
    Column("created_at", Instant, nullable=False),
    Column("archived_at", Instant),
)

teams = Table(
    "teams",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("team_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("password_hash", Text),
    Column("password_changed_at", Instant),
    Column("disabled_at", Instant),
)

memberships = Table(
    "memberships",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("projects", json_column, nullable=False),
    Column("teams", json_column, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("last_login_at", Instant),
)

roles = Table(
    "roles",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("permissions", json_column, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("policy_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("subjects", json_column, nullable=False),
    Column("actions", json_column, nullable=False),
    Column("conditions", json_column, nullable=False),
    Column("created_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("secret_hash", LargeBinary),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("address", Text),
    Column("user_agent", Text),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("retired_at", Instant),
)

one_time_tokens = Table(
    "one_time_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

limit_windows = Table(
    "limit_windows",
    metadata,
    Column("holder", Text, primary_key=True),
    Column("window_seconds", Integer, primary_key=True, autoincrement=False),
    Column("started", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
)

audit_chains = Table(
    "audit_chains",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("length", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
)
