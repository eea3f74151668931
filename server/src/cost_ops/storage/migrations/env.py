"""Runs revisions on the connection that `storage.migrating` hands over."""

from __future__ import annotations

from alembic import context

from cost_ops.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
