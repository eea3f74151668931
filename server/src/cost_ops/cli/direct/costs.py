"""Cost questions to a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cost_ops.cli.backend import Document
from cost_ops.cli.documents import cost_document
from cost_ops.domain.assembly import assemble
from cost_ops.domain.costs import CostQuery, Filter
from cost_ops.interfaces.context import Context
from cost_ops.services import costs, organizations


class DirectCosts:
    """Cost questions as the installation's owner."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def query(self, organization_id: str | None, query: CostQuery) -> Document:
        """The answer for an organisation; for None, for the only one there is or all of them.

        An organisation that nothing was recorded for yet has an answer without rows: it comes to be with its first
        record, and a question does not create it.
        """
        query = replace(query, filters=canonical(self._ctx, query.filters))
        known = [o.organization_id for o in organizations.list_organizations(self._ctx)]
        if organization_id is not None and organization_id not in known:
            empty = assemble(query, query.slots(), [])
            return cost_document(empty, organization_id, []) | {"known_organizations": known}
        bound = known[0] if organization_id is None and len(known) == 1 else organization_id
        report = costs.query(self._ctx, bound, query)
        return cost_document(report, bound, known if bound is None else [bound])


def canonical(ctx: Context, filters: Sequence[Filter]) -> tuple[Filter, ...]:
    """The filters, providers by the names that records have."""
    names = ctx.books.current().names
    return tuple(
        replace(f, values=tuple(names.canonical(v) for v in f.values)) if f.dimension == "provider" else f
        for f in filters
    )
