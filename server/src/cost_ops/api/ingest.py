"""The hot path: usage over HTTP. Plain ASGI; single records are priced on the event loop, the committer does the rest.

An answer of 201 or 200 means: committed. Nothing here waits for the database but the committer's thread.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from cost_ops.api.arrival import Arrival, Headers
from cost_ops.api.batches import Sent
from cost_ops.api.bodies import Receive, read_body
from cost_ops.api.decoding import read_batch, read_record
from cost_ops.api.ingest_answers import usage_answer
from cost_ops.api.money import MoneyWriter
from cost_ops.api.parameters import Given, read_parameters
from cost_ops.api.parameters_known import ATOMIC, DETAILS, MONEY
from cost_ops.api.process import Process
from cost_ops.bootstrap import Application
from cost_ops.domain.access import Principal, authorize
from cost_ops.domain.errors import CostOpsError, NotFound, invalid
from cost_ops.domain.periods import to_us
from cost_ops.domain.priced import Priced
from cost_ops.domain.submission import Intake
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.services import usage
from cost_ops.services.usage import Batch, Outcome

Answered = tuple[int, bytes]

_LARGE = 1_000_000
"""Bytes of a batch from which taking it apart would keep other requests waiting."""

_PLAIN = Given({})


class _One:
    """A record that is priced already: its route says what that cost."""

    __slots__ = ("admin", "record", "size")

    def __init__(self, record: Priced, admin: bool) -> None:
        self.record, self.admin, self.size = record, admin, 1

    def priced(self) -> Batch:
        return Batch((self.record,))

    def answer(self, outcomes: list[Outcome]) -> Outcome:
        return outcomes[0]


class Ingest:
    """The two routes that take usage."""

    def __init__(self, process: Process) -> None:
        """Nothing is read before the first request."""
        application = process.application
        self._application = application
        self._door = process.door
        self._committer = process.committer
        self._metrics = process.metrics
        self._limit = application.settings.server.max_body_bytes
        self._contexts: dict[Principal, Context] = {}
        self._warm = False

    async def warm(self) -> None:
        """Load the price book. Raises Unavailable."""
        await asyncio.to_thread(self._application.books.current)
        self._warm = True

    async def one(self, arrival: Arrival, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/usage: one record."""
        principal = await self.principal(arrival)
        given = read_parameters(query_pairs(query), (MONEY,)) if query else _PLAIN
        intake = self.intake(principal, header_key(arrival.headers))
        submission = read_record(await read_body(arrival.headers, receive, self._limit), intake)
        return await self.record(principal, submission, given.money)

    async def batch(self, arrival: Arrival, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/usage/batch: up to 10,000 records; good ones are kept, or with `atomic` all or none."""
        principal = await self.principal(arrival)
        given = read_parameters(query_pairs(query), (MONEY, ATOMIC, DETAILS)) if query else _PLAIN
        own_key = header_key(arrival.headers)
        body = await read_body(arrival.headers, receive, self._limit)
        records = read_batch(body) if len(body) < _LARGE else await asyncio.to_thread(read_batch, body)
        intake = self.intake(principal, own_key)
        sent = Sent(records, self.context(principal), intake, given, self._metrics)
        answered: Answered = await self._committer.submit(sent)
        return answered

    async def record(self, principal: Principal, submission: UsageSubmission, money: MoneyWriter) -> Answered:
        """One record, priced, committed and answered."""
        try:
            authorize(principal, "usage:write", submission.organization_id)
            priced = await self.priced(principal, submission)
            outcome: Outcome = await self._committer.submit(_One(priced, principal.owner))
        except CostOpsError:
            self._metrics.refused.inc()
            raise
        if isinstance(outcome, CostOpsError):
            self._metrics.refused.inc()
            raise outcome
        (self._metrics.replayed if outcome.replayed else self._metrics.recorded).inc()
        return 200 if outcome.replayed else 201, usage_answer(outcome, money)

    async def principal(self, arrival: Arrival) -> Principal:
        """Who sends usage. Raises Unauthorized, and Forbidden without the permission."""
        principal = await self._door.admit(arrival, "usage:write")
        if not self._warm:
            await self.warm()
        return principal

    def intake(self, principal: Principal, header_key: str | None) -> Intake:
        """What is known of a record beside its fields."""
        return intake_of(self._application, principal, header_key)

    def context(self, principal: Principal) -> Context:
        """The caller's context, remembered."""
        found = self._contexts.get(principal)
        if found is None:
            if len(self._contexts) >= 1000:
                self._contexts.clear()
            found = self._contexts[principal] = self._application.context(principal)
        return found

    async def priced(self, principal: Principal, submission: UsageSubmission) -> Priced:
        """The submission's cost; where a strict installation knows no price, another look with the newest book."""
        ctx = self.context(principal)
        try:
            return usage.price(ctx, self._application.books.current(), submission)
        except NotFound:
            return usage.price(ctx, await asyncio.to_thread(self._application.books.refresh), submission)


def intake_of(application: Application, principal: Principal, header_key: str | None) -> Intake:
    """What is known of a record that comes in over HTTP, beside its fields."""
    return Intake(
        application.books.current().names,
        to_us(application.clock()),
        application.settings.ingest.future_tolerance_secs * 1_000_000,
        None,
        principal.key_id,
        header_key,
        "api",
        None,
        application.shapes,
    )


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def header_key(headers: Headers) -> str | None:
    """The header Idempotency-Key. Raises InvalidInput."""
    value = headers.get(b"idempotency-key")
    if value is None:
        return None
    key = value.decode("utf-8", "replace").strip()
    if not key:
        raise invalid("Idempotency-Key", "empty", "the header Idempotency-Key must not be empty")
    if fault := text_fault(key):
        raise invalid("Idempotency-Key", fault[0], f"the header Idempotency-Key {fault[1]}")
    return key
