"""Recording usage in a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cost_ops.cli.backend import Document, Taken
from cost_ops.cli.direct.costs import canonical
from cost_ops.cli.documents import amount, usage_document
from cost_ops.cli.proofs import explanation_document
from cost_ops.domain.charging import charge
from cost_ops.domain.compiled import compile_price
from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import CostOpsError, InvalidInput
from cost_ops.domain.periods import TimeRange, to_us
from cost_ops.domain.priced import Priced
from cost_ops.domain.prices import default_price
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.interfaces.context import Context
from cost_ops.services import explain, exports, organizations, usage
from cost_ops.services.usage import Batch, RecordedUsage


class DirectUsage:
    """Usage as the installation's owner: organisations named for the first time are created."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def default_organization(self, named: str | None) -> str | None:
        """The organisation of records that name none."""
        if named is not None:
            return named
        known = organizations.list_organizations(self._ctx)
        return known[0].organization_id if len(known) == 1 else None

    def ingest(self, records: Sequence[Mapping[str, Any]], *, dry_run: bool) -> list[Taken]:
        """Check, price and record, all in one transaction; one outcome each."""
        now_us = to_us(self._ctx.clock())
        taken: list[Taken | None] = []
        items: list[Priced] = []
        for fields in records:
            found = self._priced(fields, now_us)
            taken.append(None if isinstance(found, Priced) else _refused(found))
            if isinstance(found, Priced):
                items.append(found)
        if dry_run:
            answers = iter([self._foreseen(item) for item in items])
        else:
            (outcomes,) = usage.record(self._ctx, [Batch(items)]) if items else ([],)
            answers = iter([_taken(outcome) for outcome in outcomes])
        return [next(answers) if one is None else one for one in taken]

    def _priced(self, fields: Mapping[str, Any], now_us: int) -> Priced | CostOpsError:
        book = self._ctx.books.current()
        tolerance_us = self._ctx.rules.future_tolerance_seconds * 1_000_000
        try:
            sent, problems = read_fields(fields)
            submission = build(sent, Intake(book.names, now_us, tolerance_us, shapes=self._ctx.shapes), problems)
            return usage.price(self._ctx, book, submission)
        except CostOpsError as error:
            return error

    def _foreseen(self, item: Priced) -> Taken:
        """What recording would answer, but for what is already there."""
        submission = item.submission
        if item.cost_e10 is None and submission.default_price is not None:
            price = default_price(submission.organization_id, submission.default_price)
            cost_e10 = charge(compile_price(price), submission).amount_e10
            if cost_e10 is not None:
                return Taken("estimated", amount(cost_e10), price.currency)
        return Taken(item.status, amount(item.cost_e10), item.currency)

    def stream(
        self, organization_id: str | None, span: TimeRange | None, filters: Sequence[Filter]
    ) -> Iterator[Document]:
        """All records of a range."""
        filters = canonical(self._ctx, filters)
        start, end = (span.start_us, span.end_us) if span else (None, None)
        for record in exports.records(self._ctx, organization_id, start_us=start, end_us=end, filters=filters):
            yield usage_document(record)

    def explain(self, organization_id: str | None, usage_id: str) -> Document:
        """Everything behind one record's amount."""
        return explanation_document(explain.explain(self._ctx, organization_id, usage_id))


def _taken(outcome: RecordedUsage | CostOpsError) -> Taken:
    if isinstance(outcome, CostOpsError):
        return _refused(outcome)
    return Taken(outcome.status, amount(outcome.cost_e10), outcome.currency, outcome.usage_id, outcome.replayed)


def _refused(error: CostOpsError) -> Taken:
    problems = [p.message for p in error.problems] if isinstance(error, InvalidInput) else [error.message]
    return Taken("refused", problems=problems)
