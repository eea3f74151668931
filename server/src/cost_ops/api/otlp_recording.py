"""An export on its way into the ledger: the committer's thread reads its spans, prices and records what was billed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.api.decoding import read_value
from cost_ops.api.errors import status_of
from cost_ops.api.metrics import Metrics
from cost_ops.api.otlp_answers import Taken
from cost_ops.api.otlp_decoding import Export
from cost_ops.domain.access import authorize
from cost_ops.domain.errors import CostOpsError, Forbidden, InvalidInput, NotFound, Problem, Unavailable, invalid
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.priced import Priced
from cost_ops.domain.span_names import COUNTS
from cost_ops.domain.span_nesting import distinct
from cost_ops.domain.spans import Span, usage_of
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import Submitted
from cost_ops.domain.usage import MAX_TOKENS, UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.services import usage
from cost_ops.services.usage import Batch, Outcome

ORGANIZATION = "cost_ops.organization_id"


class NothingToRecord(CostOpsError):
    """No span of an export was a call that could be recorded; `taken` is the answer."""

    def __init__(self, taken: Taken) -> None:
        super().__init__("nothing to record")
        self.taken = taken


class Exported:
    """One request's spans, as work for the committer."""

    def __init__(self, export: Export, ctx: Context, intake: Intake, metrics: Metrics) -> None:
        """Nothing is read before `priced`."""
        self.size, self.admin = len(export), ctx.principal.owner
        self._export, self._ctx, self._intake, self._metrics = export, ctx, intake, metrics
        self._recorded: list[Span] = []
        self._faults: list[tuple[str, str]] = []
        self._homeless = 0

    def priced(self) -> Batch:
        """The calls among the spans, priced. Raises NothingToRecord; InvalidInput where no span says whose it is."""
        calls = self._calls()
        priced = self._price_all(calls)
        if priced:
            return Batch(priced)
        self._metrics.refused.inc(len(self._faults))
        if self._homeless and self._homeless == len(self._faults):
            message = f"with an admin key the resource attribute {ORGANIZATION} is required"
            raise invalid(ORGANIZATION, "missing_required_field", message)
        raise NothingToRecord(Taken(self._faults))

    def answer(self, outcomes: list[Outcome]) -> Taken:
        """What was refused. Raises Unavailable after an unforeseen error: the exporter then sends all of it again."""
        accepted = replayed = 0
        for span, outcome in zip(self._recorded, outcomes, strict=True):
            if isinstance(outcome, CostOpsError):
                if status_of(outcome) >= 500:
                    raise Unavailable("not all usage could be recorded; send it again, what is recorded counts once")
                self._refuse(span, outcome)
            elif outcome.replayed:
                replayed += 1
            else:
                accepted += 1
        self._metrics.recorded.inc(accepted)
        self._metrics.replayed.inc(replayed)
        self._metrics.refused.inc(len(self._faults))
        return Taken(self._faults)

    def _calls(self) -> list[tuple[Span, Mapping[str, Any]]]:
        """The spans that are calls, each call once, as the fields of usage records."""
        calls: list[tuple[Span, Mapping[str, Any]]] = []
        parents: dict[tuple[str, str], str] = {}
        for span in self._export:
            parents[(span.trace_id, span.span_id)] = span.parent_id
            if not span.attributes:
                continue
            try:
                if (fields := usage_of(span)) is not None:
                    calls.append((span, fields))
            except InvalidInput as error:
                self._refuse(span, error)
        return distinct(calls, parents)

    def _price_all(self, calls: list[tuple[Span, Mapping[str, Any]]]) -> list[Priced]:
        book, refreshed = self._ctx.books.current(), False
        found: list[Priced] = []
        for span, fields in calls:
            try:
                submission = self._submission(self._addressed(fields))
                authorize(self._ctx.principal, "usage:write", submission.organization_id)
                try:
                    priced = self._price(book, submission)
                except NotFound:
                    if refreshed:
                        raise
                    book, refreshed = self._ctx.books.refresh(), True
                    priced = self._price(book, submission)
            except CostOpsError as error:
                self._refuse(span, error)
                continue
            found.append(priced)
            self._recorded.append(span)
        return found

    def _submission(self, fields: Mapping[str, Any]) -> UsageSubmission:
        """What `usage_of` gives has the types of a record already; only counts may still be beyond reason."""
        if any(fields.get(name, 0) > MAX_TOKENS for name in COUNTS):
            return read_value(fields, self._intake)
        return build(Submitted(**fields), self._intake)

    def _price(self, book: PriceBook, submission: UsageSubmission) -> Priced:
        return usage.price(self._ctx, book, submission, itemised=False)

    def _addressed(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the organisation: the key's, which the span may name too, or with an admin key the one it names."""
        own, named = self._ctx.principal.organization_id, fields.get("organization_id")
        if named is None and own is None:
            self._homeless += 1
            raise invalid(ORGANIZATION, "missing_required_field", f"the resource attribute {ORGANIZATION} is required")
        if named is not None and own is not None and named != own:
            raise invalid(ORGANIZATION, "contradiction", f"{ORGANIZATION} {named[:64]!r} is not the key's organisation")
        return {**fields, "organization_id": named or own}

    def _refuse(self, span: Span, error: CostOpsError) -> None:
        why = error.details.get("reason", error.message) if isinstance(error, Forbidden) else error.message
        problems = error.problems if isinstance(error, InvalidInput) else (Problem("", "", why),)
        self._faults.append((span.span_id[:16], ", ".join(problem.message for problem in problems[:5])[:400]))
