"""CloudEvents 1.0 over HTTP: usage as events, structured, binary or in batches.

Source: cloudevents.io, `cloudevents/spec.md`, its JSON format and its HTTP binding, version 1.0.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cost_ops.api.arrival import Arrival
from cost_ops.api.batches import Sent
from cost_ops.api.bodies import Receive, parse_json, read_body
from cost_ops.api.cloud_event_data import record_of
from cost_ops.api.cloud_event_forms import Event, read_binary, read_structured
from cost_ops.api.decoding import MAX_BATCH, read_value
from cost_ops.api.ingest import Answered, Ingest, query_pairs
from cost_ops.api.parameters import read_parameters
from cost_ops.api.parameters_known import ATOMIC, MONEY
from cost_ops.api.process import Process
from cost_ops.domain.access import Principal
from cost_ops.domain.errors import UnsupportedMedia, invalid
from cost_ops.domain.submission import Intake
from cost_ops.domain.usage import UsageSubmission

STRUCTURED, BATCH = b"application/cloudevents+json", b"application/cloudevents-batch+json"


class Events:
    """The route that takes CloudEvents."""

    def __init__(self, process: Process, ingest: Ingest) -> None:
        """`ingest` knows callers and records for them."""
        self._ingest, self._committer, self._metrics = ingest, process.committer, process.metrics
        self._limit = process.application.settings.server.max_body_bytes

    async def take(self, arrival: Arrival, query: bytes, receive: Receive) -> Answered:
        """POST /api/v1/events: one event, answered as a record is, or a batch, answered as a batch is."""
        principal = await self._ingest.principal(arrival)
        media = arrival.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        given = read_parameters(query_pairs(query), (MONEY, ATOMIC))
        body = await read_body(arrival.headers, receive, self._limit)
        if media.startswith(b"application/cloudevents") and media not in (STRUCTURED, BATCH):
            message = "of CloudEvents' formats only JSON is taken: application/cloudevents+json or -batch+json"
            raise UnsupportedMedia(message, field="Content-Type")
        intake = self._intake(principal)
        if media == BATCH:
            work = _SentEvents(_events(body), self._ingest.context(principal), intake, given, self._metrics)
            answered: Answered = await self._committer.submit(work)
            return answered
        event = read_structured(parse_json(body)) if media == STRUCTURED else read_binary(arrival.headers, body)
        return await self._ingest.record(principal, _submission(event, intake), given.money)

    def _intake(self, principal: Principal) -> Intake:
        """A record that names no organisation is the key's own."""
        return replace(self._ingest.intake(principal, None), organization_id=principal.organization_id)


class _SentEvents(Sent):
    """A batch of events: each is taken apart where its record is read, so that one that is wrong is refused alone."""

    def read(self, record: Any, index: int) -> UsageSubmission:
        return _submission(read_structured(record), self.intake_of(index))


def _submission(event: Event, intake: Intake) -> UsageSubmission:
    return read_value(record_of(event), intake)


def _events(body: bytes) -> list[Any]:
    events = parse_json(body)
    if not isinstance(events, list):
        raise invalid("", "invalid_type", "a batch of CloudEvents must be a JSON array")
    if not events:
        raise invalid("", "missing_required_field", "the batch holds no event")
    if len(events) > MAX_BATCH:
        raise invalid("", "too_many", f"the batch holds {len(events)} events; the limit is {MAX_BATCH}")
    return events
