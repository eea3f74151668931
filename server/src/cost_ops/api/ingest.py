"""The hot path: usage over HTTP. Plain ASGI, decoded and priced on the event loop, written by the committer.

An answer of 201 or 200 means: committed. Nothing here waits for the database but the committer's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from cost_ops.api.bodies import Receive, read_body
from cost_ops.api.decoding import read_batch, read_item, read_record
from cost_ops.api.errors import status_of
from cost_ops.api.ingest_answers import batch_answer, usage_answer
from cost_ops.api.parameters import Given, read_parameters
from cost_ops.api.parameters_known import ATOMIC, MONEY
from cost_ops.api.process import Process
from cost_ops.domain.access import Principal, authorize
from cost_ops.domain.errors import Conflict, CostOpsError, InvalidInput, NotFound, Problem, invalid
from cost_ops.domain.periods import to_us
from cost_ops.domain.submission import Intake
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.services import usage
from cost_ops.services.usage import Batch, Outcome, Priced

Headers = Mapping[bytes, bytes]
Answered = tuple[int, bytes]

_SLICE = 32
"""Records between two looks at other requests: about a millisecond."""

_PLAIN = Given({})


class Ingest:
    """The two routes that take usage."""

    def __init__(self, process: Process) -> None:
        """Nothing is read before the first request."""
        application = process.application
        self._application = application
        self._authenticator = process.authenticator
        self._committer = process.committer
        self._metrics = process.metrics
        self._limit = application.settings.server.max_body_bytes
        self._tolerance_us = application.settings.ingest.future_tolerance_secs * 1_000_000
        self._contexts: dict[Principal, Context] = {}
        self._warm = False
        self._batches = asyncio.Lock()
        """One batch is priced at a time: several at once would be no faster, and other requests would wait for all."""

    async def warm(self) -> None:
        """Load the price book. Raises Unavailable."""
        await asyncio.to_thread(self._application.books.current)
        self._warm = True

    async def one(self, headers: Headers, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/usage: one record."""
        principal = await self._principal(headers)
        given = read_parameters(_pairs(query), (MONEY,)) if query else _PLAIN
        intake = self._intake(principal, _header_key(headers))
        submission = read_record(await read_body(headers, receive, self._limit), intake)
        try:
            authorize(principal, "usage:write", submission.organization_id)
            priced = await self._priced(principal, submission)
            outcome = (await self._committer.submit(Batch((priced,)), admin=principal.is_admin))[0]
        except CostOpsError:
            self._metrics.refused.inc()
            raise
        if isinstance(outcome, CostOpsError):
            self._metrics.refused.inc()
            raise outcome
        (self._metrics.replayed if outcome.replayed else self._metrics.recorded).inc()
        return 200 if outcome.replayed else 201, usage_answer(outcome, given.money)

    async def batch(self, headers: Headers, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/usage/batch: up to 10,000 records; good ones are kept, or with `atomic` all or none."""
        principal = await self._principal(headers)
        given = read_parameters(_pairs(query), (MONEY, ATOMIC)) if query else _PLAIN
        header_key = _header_key(headers)
        body = await read_body(headers, receive, self._limit)
        records = read_batch(body) if len(body) < 1_000_000 else await asyncio.to_thread(read_batch, body)
        atomic = bool(given.get("atomic"))
        async with self._batches:
            outcomes = await self._priced_all(principal, records, header_key)
        priced = [outcome for outcome in outcomes if isinstance(outcome, Priced)]
        refused = len(outcomes) - len(priced)
        if atomic and refused:
            self._metrics.refused.inc(len(outcomes))
            raise all_refused(outcomes)
        if not priced:
            self._metrics.refused.inc(refused)
            raise all_refused(outcomes)
        stored = iter(await self._committer.submit(Batch(priced, atomic), admin=principal.is_admin))
        final: list[Outcome] = [next(stored) if isinstance(o, Priced) else o for o in outcomes]
        return await self._answered(final, given)

    async def _answered(self, final: Sequence[Outcome], given: Given) -> Answered:
        rejected = sum(isinstance(outcome, CostOpsError) for outcome in final)
        replayed = sum(not isinstance(outcome, CostOpsError) and outcome.replayed for outcome in final)
        accepted = len(final) - rejected - replayed
        self._metrics.recorded.inc(accepted)
        self._metrics.replayed.inc(replayed)
        self._metrics.refused.inc(rejected)
        if rejected == len(final):
            raise all_refused(final)
        status = 201 if accepted else 200
        return status, await batch_answer(final, (accepted, replayed, rejected), given.money)

    async def _principal(self, headers: Headers) -> Principal:
        header = headers.get(b"authorization")
        principal = self._authenticator.remembered(header) or await self._authenticator.authenticate(header)
        authorize(principal, "usage:write")
        if not self._warm:
            await self.warm()
        return principal

    def _intake(self, principal: Principal, header_key: str | None) -> Intake:
        return Intake(
            self._application.books.current().names,
            to_us(self._application.clock()),
            self._tolerance_us,
            None,
            principal.key_id,
            header_key,
            "api",
        )

    def _context(self, principal: Principal) -> Context:
        found = self._contexts.get(principal)
        if found is None:
            if len(self._contexts) >= 1000:
                self._contexts.clear()
            found = self._contexts[principal] = self._application.context(principal)
        return found

    async def _priced(self, principal: Principal, submission: UsageSubmission) -> Priced:
        """The submission's cost; where a strict installation knows no price, another look with the newest book."""
        ctx = self._context(principal)
        try:
            return usage.price(ctx, self._application.books.current(), submission)
        except NotFound:
            return usage.price(ctx, await asyncio.to_thread(self._application.books.refresh), submission)

    async def _priced_all(
        self, principal: Principal, records: Sequence[Any], header_key: str | None
    ) -> list[Priced | CostOpsError]:
        """Each record priced or refused, in order, letting other requests in between slices."""
        ctx, book = self._context(principal), self._application.books.current()
        intake = self._intake(principal, None)
        refreshed = False
        found: list[Priced | CostOpsError] = []
        for start in range(0, len(records), _SLICE):
            if start:
                await asyncio.sleep(0)
            for index in range(start, min(start + _SLICE, len(records))):
                if header_key is not None:
                    intake = self._intake(principal, f"{header_key}#{index}")
                submission: UsageSubmission | None = None
                try:
                    submission = read_item(records[index], intake)
                    authorize(principal, "usage:write", submission.organization_id)
                    found.append(usage.price(ctx, book, submission, itemised=False))
                except InvalidInput as error:
                    found.append(InvalidInput([p.at(f"records[{index}]") for p in error.problems]))
                except NotFound as error:
                    if ctx.rules.strict and not refreshed:
                        refreshed = True
                        book = await asyncio.to_thread(self._application.books.refresh)
                    found.append(_second_look(ctx, book, submission) or error)
                except CostOpsError as error:
                    found.append(error)
        return found


def _second_look(ctx: Context, book: Any, submission: UsageSubmission | None) -> Priced | None:
    """The price by the newest book, for a record that an older one did not know the model of."""
    if submission is None:
        return None
    try:
        authorize(ctx.principal, "usage:write", submission.organization_id)
        return usage.price(ctx, book, submission)
    except CostOpsError:
        return None


def all_refused(outcomes: Sequence[Any]) -> CostOpsError:
    """One error for a batch that kept nothing: a conflict where all faults are conflicts, else every problem named."""
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
            problems.append(Problem(f"records[{index}]", error.code.lower(), error.message))
    combined = InvalidInput(problems)
    for kind in (Conflict, NotFound):
        if all(isinstance(error, kind) for _, error in faults):
            return kind(combined.message, **combined.details)
    return combined


def _left_out(error: CostOpsError) -> bool:
    """Whether a record was only refused because another one of its atomic batch was."""
    return isinstance(error, Conflict) and not error.details


def _pairs(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _header_key(headers: Headers) -> str | None:
    value = headers.get(b"idempotency-key")
    if value is None:
        return None
    key = value.decode("utf-8", "replace").strip()
    if not key:
        raise invalid("Idempotency-Key", "empty", "the header Idempotency-Key must not be empty")
    if fault := text_fault(key):
        raise invalid("Idempotency-Key", fault[0], f"the header Idempotency-Key {fault[1]}")
    return key
