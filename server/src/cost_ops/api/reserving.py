"""The hot path of budgets: reserving before a call, settling with its usage. Plain ASGI, as taking usage is."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from typing import Any

from cost_ops.api.arrival import Arrival
from cost_ops.api.bodies import Receive, parse_json, read_body
from cost_ops.api.ingest import Answered, Ingest, header_key, query_pairs
from cost_ops.api.lease_answers import granted_answer, refusal, settled_answer, unchecked_answer
from cost_ops.api.lease_bodies import lease_id_of, read_request, settled_submission
from cost_ops.api.parameters import read_parameters
from cost_ops.api.parameters_known import MONEY
from cost_ops.api.process import Process
from cost_ops.domain.access import Principal, authorize
from cost_ops.domain.errors import CostOpsError, Unavailable
from cost_ops.domain.leases import Lease
from cost_ops.domain.priced import Priced
from cost_ops.services import leases
from cost_ops.services.leases import Refused
from cost_ops.services.usage import Batch, Outcome, RecordedUsage

_REMEMBERED = 50_000


class Settlement:
    """Usage that settles a lease, for the committer."""

    __slots__ = ("admin", "lease_id", "record", "size")

    def __init__(self, record: Priced, lease_id: str) -> None:
        self.record, self.lease_id, self.admin, self.size = record, lease_id, False, 1

    def priced(self) -> Batch:
        """What is recorded."""
        return Batch((self.record,), lease_id=self.lease_id)

    def answer(self, outcomes: list[Outcome]) -> Outcome:
        """What became of it."""
        return outcomes[0]


class Reserving:
    """The routes that reserve and settle."""

    def __init__(self, process: Process, ingest: Ingest) -> None:
        """`ingest` knows callers and records for them."""
        settings = process.application.settings
        self._ingest, self._decider, self._committer = ingest, process.decider, process.committer
        self._metrics = process.metrics
        self._limit = settings.server.max_body_bytes
        self._ttl = timedelta(seconds=settings.budgets.lease_ttl_secs)
        self._fail_open = settings.budgets.when_unavailable == "allow"
        self._leases: OrderedDict[str, Lease] = OrderedDict()

    async def reserve(self, arrival: Arrival, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/budgets/reserve: of all budgets that the call will count for, or of none."""
        principal = await self._ingest.principal(arrival)
        given = read_parameters(query_pairs(query), (MONEY,))
        document = parse_json(await read_body(arrival.headers, receive, self._limit))
        intake = self._ingest.intake(principal, header_key(arrival.headers))
        request = read_request(document, intake, principal, self._ttl)
        try:
            outcome = await self._decider.decide(request)
        except Unavailable:
            if not self._fail_open:
                raise
            self._metrics.unchecked.inc()
            return 200, unchecked_answer(request)
        if isinstance(outcome, CostOpsError):
            raise outcome
        if isinstance(outcome, Refused):
            raise refusal(outcome, principal)
        self._remember(outcome.lease)
        return 200 if outcome.replayed else 201, granted_answer(outcome, principal, given.money)

    async def settle(self, arrival: Arrival, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/budgets/settle: record the call's usage and let go of its lease, in one transaction."""
        principal = await self._ingest.principal(arrival)
        given = read_parameters(query_pairs(query), (MONEY,))
        document = parse_json(await read_body(arrival.headers, receive, self._limit))
        lease_id = lease_id_of(document)
        lease = await self._lease(principal, lease_id)
        submission = settled_submission(document, lease, self._ingest.intake(principal, lease_id))
        try:
            authorize(principal, "usage:write", submission.organization_id)
            priced = await self._ingest.priced(principal, submission)
            outcome: Outcome = await self._committer.submit(Settlement(priced, lease_id))
        except CostOpsError:
            self._metrics.refused.inc()
            raise
        if isinstance(outcome, CostOpsError):
            self._metrics.refused.inc()
            raise outcome
        return self._answered(outcome, lease, given.money)

    def _answered(self, outcome: RecordedUsage, lease: Lease, money: Any) -> Answered:
        (self._metrics.replayed if outcome.replayed else self._metrics.recorded).inc()
        return 200 if outcome.replayed else 201, settled_answer(outcome, outcome.lease or lease, money)

    async def _lease(self, principal: Principal, lease_id: str) -> Lease:
        """The lease as it was made: of this process's own making, or the database's."""
        found = self._leases.get(lease_id)
        if found is None or principal.organization_id not in (None, found.organization_id):
            ctx = self._ingest.context(principal)
            found = await asyncio.to_thread(leases.whose, ctx, lease_id)
        return found

    def _remember(self, lease: Lease) -> None:
        self._leases[lease.lease_id] = lease
        if len(self._leases) > _REMEMBERED:
            self._leases.popitem(last=False)
