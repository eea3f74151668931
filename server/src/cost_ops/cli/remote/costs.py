"""Cost questions to a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.remote.client import Client
from cost_ops.domain.costs import CostQuery, Filter
from cost_ops.domain.periods import TimeRange, format_instant

_FILTER_NAMES = {"model": "model_id", "project": "project_id", "user": "user_id", "team": "team_id"}


class RemoteCosts:
    """Cost questions as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def query(self, organization_id: str | None, query: CostQuery) -> Document:
        """The answer for an organisation; for None, the key's own, for an admin key all together."""
        parameters = {
            "organization_id": organization_id,
            **range_parameters(query.span),
            "timezone": query.zone.key,
            "group_by": ",".join(query.group_by) or None,
            "order_by": query.order_by,
            "limit": query.limit,
            "display_currency": query.display_currency,
            **filter_parameters(query.filters),
        }
        found: Document = self._client.get("/costs", parameters)["data"]
        covered = found["organization_id"]
        return found | {"organizations": [covered] if covered else ["all of the server's"]}


def range_parameters(span: TimeRange | None) -> dict[str, Any]:
    """A range of time as query parameters."""
    if span is None:
        return {}
    return {"start_date": format_instant(span.start), "end_date": format_instant(span.end)}


def filter_parameters(filters: Sequence[Filter]) -> dict[str, Any]:
    """Filters as query parameters; each value is one."""
    return {_filter_name(f.dimension): list(f.values) for f in filters}


def _filter_name(dimension: str) -> str:
    if dimension.startswith("tag:"):
        return f"tag.{dimension[4:]}"
    return _FILTER_NAMES.get(dimension, dimension)
