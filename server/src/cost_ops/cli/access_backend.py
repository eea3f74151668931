"""What commands need to say who may do what: roles, policies, projects, teams, and why something is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccessAsked:
    """What `access explain` is asked: a permission, and a key or a user; neither: whoever asks."""

    permission: str
    key: str | None = None
    user: str | None = None
    project: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None
    address: str | None = None


class NounBackend(Protocol):
    """One kind of thing of an organisation: each is a document in the shape of the HTTP API."""

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them."""

    def get(self, organization_id: str | None, identity: str) -> Document:
        """One of them. Raises NotFound."""

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one."""

    def change(self, organization_id: str | None, identity: str, fields: Mapping[str, Any]) -> Document:
        """Put fields in place of its own."""

    def remove(self, organization_id: str | None, identity: str) -> None:
        """Take one out; projects are archived instead."""


class AccessBackend(Protocol):
    """Who may do what in an organisation."""

    @property
    def roles(self) -> NounBackend:
        """Roles."""

    @property
    def policies(self) -> NounBackend:
        """Policies."""

    @property
    def projects(self) -> NounBackend:
        """Projects."""

    @property
    def teams(self) -> NounBackend:
        """Teams."""

    def explain(self, organization_id: str | None, asked: AccessAsked) -> Document:
        """Why something is allowed or refused."""


def names(text: str | None) -> list[str] | None:
    """`a,b` as a list; None where nothing was given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
