"""OTLP/HTTP traces: what OpenTelemetry exporters send. The spans of model calls are recorded, others are let pass.

An answer of 200 means: what was billed is committed.
"""

from __future__ import annotations

import asyncio

from cost_ops.api.arrival import Arrival
from cost_ops.api.bodies import Receive, read_body
from cost_ops.api.errors import status_of
from cost_ops.api.ingest import Ingest
from cost_ops.api.otlp_answers import JSON, PROTOBUF, Answer, Taken, failure, success
from cost_ops.api.otlp_decoding import read_json, read_protobuf
from cost_ops.api.otlp_recording import Exported, NothingToRecord
from cost_ops.api.process import Process
from cost_ops.domain.errors import CostOpsError, UnsupportedMedia

_READERS = {PROTOBUF: read_protobuf, JSON: read_json}
_WRITTEN_AS = {b"application/protobuf": PROTOBUF}
_LARGE = 1_000_000
"""Bytes of a body from which taking it apart would keep other requests waiting."""


class Traces:
    """The route that takes exports of spans."""

    def __init__(self, process: Process, ingest: Ingest) -> None:
        """`ingest` knows callers and their contexts."""
        self._ingest, self._committer, self._metrics = ingest, process.committer, process.metrics
        self._door = process.door
        self._limit = process.application.settings.server.max_body_bytes

    async def export(self, arrival: Arrival, _query: bytes, receive: Receive) -> Answer:
        """POST /v1/traces."""
        sent = arrival.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        media = _WRITTEN_AS.get(sent, sent)
        try:
            return success(await self._taken(media, arrival, receive), media)
        except NothingToRecord as nothing:
            return success(nothing.taken, media)
        except CostOpsError as error:
            self._door.refused(arrival, error, status_of(error))
            return failure(error, media if media in _READERS else JSON)

    async def _taken(self, media: bytes, arrival: Arrival, receive: Receive) -> Taken:
        principal = await self._ingest.principal(arrival)
        read = _READERS.get(media)
        if read is None:
            shown = repr(media[:60].decode("latin-1"))
            message = f"Content-Type {shown} is not taken; send application/x-protobuf or application/json"
            raise UnsupportedMedia(message, field="Content-Type")
        unpacked = {name: value for name, value in arrival.headers.items() if name != b"content-type"}
        body = await read_body(unpacked, receive, self._limit)
        export = read(body) if len(body) < _LARGE else await asyncio.to_thread(read, body)
        work = Exported(export, self._ingest.context(principal), self._ingest.intake(principal, None), self._metrics)
        taken: Taken = await self._committer.submit(work)
        return taken
