"""Whose things a command is about."""

from __future__ import annotations

import rich_click as click

from cost_ops.cli.session import Session


def organization_of(session: Session) -> str | None:
    """The organisation that a command is about; None where a server knows it by the credential."""
    if session.is_remote:
        return session.organization
    found = session.backend.usage.default_organization(session.organization)
    if found is None:
        raise click.UsageError("there are several organisations; name one with --organization")
    return found
