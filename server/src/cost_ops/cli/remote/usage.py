"""Recording usage through a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cost_ops.cli.backend import Document, Taken
from cost_ops.cli.errors import RemoteError
from cost_ops.cli.remote.client import Client
from cost_ops.cli.remote.costs import filter_parameters, range_parameters
from cost_ops.domain.costs import Filter
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.exact_json import json_text
from cost_ops.domain.periods import TimeRange, to_us
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.interfaces.clock import system_clock

BATCH = 1000
MAX_BATCH_CHARACTERS = 3_000_000
"""Of JSON, so that a batch of whole responses stays below the 10 MB that a server takes by default."""


class RemoteUsage:
    """Usage as the holder of a key."""

    def __init__(self, client: Client) -> None:
        """Send to this client's server."""
        self._client = client

    def default_organization(self, named: str | None) -> str | None:
        """The organisation named here, else the key's own; None where it has none or may not say."""
        if named is not None:
            return named
        try:
            found = self._client.get("/costs", {"range": "last-hour"})["data"]["organization_id"]
        except RemoteError as error:
            if error.status in (403, 404):
                return None
            raise
        return str(found) if found else None

    def ingest(self, records: Sequence[Mapping[str, Any]], *, dry_run: bool) -> list[Taken]:
        """Send batches. A dry run checks the records here; prices are the server's, so it names no cost."""
        if dry_run:
            now_us = to_us(system_clock())
            return [_checked(record, now_us) for record in records]
        taken: list[Taken] = []
        for batch in _batches(records):
            answer = self._client.send("POST", "/usage/batch", body={"records": batch})["data"]["results"]
            taken.extend(_taken(result) for result in answer)
        return taken

    def stream(
        self, organization_id: str | None, span: TimeRange | None, filters: Sequence[Filter]
    ) -> Iterator[Document]:
        """All records of a range, as they arrive."""
        parameters = {"organization_id": organization_id, **range_parameters(span), **filter_parameters(filters)}
        for record in self._client.lines("/usage/stream", parameters):
            yield with_flat_cost(record)

    def explain(self, organization_id: str | None, usage_id: str) -> Document:
        """Everything behind one record's amount."""
        answer = self._client.get(f"/usage/{usage_id}/explain", {"organization_id": organization_id})
        found: Document = answer["data"]
        return found | {"usage": with_flat_cost(found["usage"])}


def _batches(records: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    size = 0
    for record in records:
        length = len(json_text(record))
        if batch and (len(batch) == BATCH or size + length > MAX_BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def with_flat_cost(record: Document) -> Document:
    """A record whose `cost` is its total."""
    cost = record["cost"]
    return record | {"cost": cost["total_cost"] if isinstance(cost, Mapping) else cost}


def _taken(result: Mapping[str, Any]) -> Taken:
    error = result.get("error")
    if error is not None:
        errors = (error.get("details") or {}).get("errors") or [error]
        return Taken("refused", problems=[str(e["message"]) for e in errors])
    found = with_flat_cost(dict(result))
    return Taken(found["status"], found["cost"], found["currency"], found["usage_id"], found["replayed"])


def _checked(record: Mapping[str, Any], now_us: int) -> Taken:
    from cost_ops.bootstrap import provider_names, usage_shapes

    try:
        sent, problems = read_fields(record)
        build(sent, Intake(provider_names(), now_us, shapes=usage_shapes()), problems)
    except InvalidInput as error:
        return Taken("refused", problems=[p.message for p in error.problems])
    return Taken("not priced")
