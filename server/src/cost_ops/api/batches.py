"""A batch as it was sent: the committer's thread checks and prices it, records it, and writes the answer.

On one thread from the first byte to the last, because the event loop could only take turns with that thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cost_ops.api.decoding import read_item
from cost_ops.api.errors import status_of
from cost_ops.api.ingest_answers import batch_answer, details_of
from cost_ops.api.metrics import Metrics
from cost_ops.api.parameters import Given
from cost_ops.domain.access import authorize
from cost_ops.domain.errors import Conflict, CostOpsError, Forbidden, InvalidInput, NotFound, Problem
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.priced import Priced
from cost_ops.domain.submission import Intake
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.services import usage
from cost_ops.services.usage import Batch, Outcome


class Sent:
    """One request's batch."""

    def __init__(self, records: Sequence[Any], ctx: Context, intake: Intake, given: Given, metrics: Metrics) -> None:
        """`records` as `read_batch` gives them; a header key in `intake` is that of the whole request."""
        self.size, self.admin = len(records), ctx.principal.owner
        self._records, self._ctx, self._intake = records, ctx, intake
        self._atomic, self._money, self._detailed = bool(given.get("atomic")), given.money, bool(given.get("details"))
        self._metrics = metrics
        self._outcomes: list[Priced | CostOpsError] = []

    def priced(self) -> Batch:
        """The good records, priced. Raises where none is, or where one is not and the batch is atomic."""
        outcomes = self._outcomes = self._price_all()
        priced = [outcome for outcome in outcomes if isinstance(outcome, Priced)]
        if not priced or (self._atomic and len(priced) < len(outcomes)):
            self._metrics.refused.inc(len(outcomes))
            raise all_refused(outcomes)
        return Batch(priced, self._atomic)

    def answer(self, outcomes: list[Outcome]) -> tuple[int, bytes]:
        """Status and body, one result per record sent."""
        stored = iter(outcomes)
        final: list[Outcome] = [next(stored) if isinstance(o, Priced) else o for o in self._outcomes]
        rejected = sum(isinstance(outcome, CostOpsError) for outcome in final)
        replayed = sum(not isinstance(outcome, CostOpsError) and outcome.replayed for outcome in final)
        accepted = len(final) - rejected - replayed
        self._metrics.recorded.inc(accepted)
        self._metrics.replayed.inc(replayed)
        self._metrics.refused.inc(rejected)
        if rejected == len(final):
            raise all_refused(final)
        details = list(map(_details_of, self._outcomes, final)) if self._detailed else ()
        return 201 if accepted else 200, batch_answer(final, (accepted, replayed, rejected), self._money, details)

    def _price_all(self) -> list[Priced | CostOpsError]:
        book, refreshed = self._ctx.books.current(), False
        found: list[Priced | CostOpsError] = []
        for index, record in enumerate(self._records):
            submission: UsageSubmission | None = None
            try:
                submission = self.read(record, index)
                authorize(self._ctx.principal, "usage:write", submission.organization_id)
                found.append(usage.price(self._ctx, book, submission, itemised=False))
            except InvalidInput as error:
                found.append(InvalidInput([p.at(f"records[{index}]") for p in error.problems]))
            except NotFound as error:
                if self._ctx.rules.strict and not refreshed:
                    book, refreshed = self._ctx.books.refresh(), True
                found.append(self._second_look(book, submission) or error)
            except CostOpsError as error:
                found.append(error)
        return found

    def read(self, record: Any, index: int) -> UsageSubmission:
        """The submission of one of `records`. Raises InvalidInput."""
        return read_item(record, self.intake_of(index))

    def intake_of(self, index: int) -> Intake:
        """What is known of a record beside its fields: a key of the whole request becomes one of its own."""
        key = self._intake.header_key
        return self._intake if key is None else replace(self._intake, header_key=f"{key}#{index}")

    def _second_look(self, book: PriceBook, submission: UsageSubmission | None) -> Priced | None:
        """The price by the newest book, for a record that an older one did not know the model of."""
        if submission is None:
            return None
        try:
            authorize(self._ctx.principal, "usage:write", submission.organization_id)
            return usage.price(self._ctx, book, submission, itemised=False)
        except CostOpsError:
            return None


def _details_of(priced: Priced | CostOpsError, outcome: Outcome) -> bytes:
    """What `details` asks for, of a record that was taken."""
    if isinstance(priced, CostOpsError) or isinstance(outcome, CostOpsError):
        return b""
    return details_of(priced.submission)


def all_refused(outcomes: Sequence[Any]) -> CostOpsError:
    """One error for a batch that kept nothing: a conflict (a refusal, …) where all faults are such, else every problem
    named.
    """
    errors = [(i, o) for i, o in enumerate(outcomes) if isinstance(o, CostOpsError)]
    faults = [(i, e) for i, e in errors if not _left_out(e)]
    unforeseen = next((e for _, e in faults if status_of(e) >= 500), None)
    if unforeseen is not None:
        return unforeseen
    problems: list[Problem] = []
    for index, error in faults:
        if isinstance(error, InvalidInput):
            problems.extend(error.problems)
        else:
            problems.append(Problem(f"records[{index}]", error.code.lower(), _why(error)))
    combined = InvalidInput(problems)
    if all(isinstance(error, Forbidden) for _, error in faults):
        return Forbidden(faults[0][1].details["required_permission"], problems[0].message, **_listed(combined))
    for kind in (Conflict, NotFound):
        if all(isinstance(error, kind) for _, error in faults):
            return kind(combined.message, **combined.details)
    return combined


def _why(error: CostOpsError) -> str:
    """What is wrong with a record; of a refusal the reason, for all of them have the same message."""
    return str(error.details.get("reason", error.message)) if isinstance(error, Forbidden) else error.message


def _listed(combined: InvalidInput) -> dict[str, Any]:
    return {"errors": combined.details["errors"]} if "errors" in combined.details else {}


def _left_out(error: CostOpsError) -> bool:
    """Whether a record was only refused because another one of its atomic batch was."""
    return isinstance(error, Conflict) and not error.details
