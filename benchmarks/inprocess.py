"""Ingest without HTTP: the product's own recording, and beside it the bare insert of the very same records.

Both take batches of so many records and commit each. Recording is timed from the fields of a record on: checked,
priced, stored, rolled up. The bare insert is timed from finished rows on.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from benchmarks import bare, payloads

from cost_ops.api.server import COLLECT_AFTER
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.identity import key_hash, uid_of_key
from cost_ops.domain.periods import to_us
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.recording import NewRecord
from cost_ops.interfaces.storage import Storage
from cost_ops.services import usage
from cost_ops.services.usage import Batch
from cost_ops.storage import open_storage
from cost_ops.storage.database import Database
from cost_ops.storage.rows import values_of
from cost_ops.storage.sql import organizations
from tests.scenarios.running_ledger import open_ledger

BATCH = 1_000


class Rate(NamedTuple):
    """What a run stored, and how fast."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Records a second."""
        return self.records / self.seconds


def recorded(url: str, organization_id: str, *, batches: int, size: int = BATCH) -> Rate:
    """Record batches through `services.usage.record`."""
    application = open_ledger(url)
    try:
        ctx = application.context(OWNER)
        sent = [list(_fields(organization_id, size)) for _ in range(batches + 1)]
        _record(application, ctx, sent.pop())  # names are looked up, statements prepared
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)  # as in the server
        start = time.perf_counter()
        for items in sent:
            _record(application, ctx, items)
        return Rate(batches * size, time.perf_counter() - start)
    finally:
        application.close()


def inserted(url: str, organization_id: str, *, batches: int, size: int = BATCH) -> Rate:
    """Insert batches of rows and keys, and nothing else."""
    prepared = _rows(url, organization_id, batches + 1, size)
    connection = bare.open_bare(url)
    try:
        connection.insert(*prepared.pop())
        start = time.perf_counter()
        for rows, keys in prepared:
            connection.insert(rows, keys)
        return Rate(batches * size, time.perf_counter() - start)
    finally:
        connection.close()


def _fields(organization_id: str, size: int) -> Iterator[dict[str, Any]]:
    run, chance = uuid4().hex, random.Random(5)
    for number in range(size):
        yield payloads.record(chance, organization_id, key=f"{run}-{number}")


def _submissions(application: Application, items: Sequence[dict[str, Any]]) -> list[UsageSubmission]:
    intake = Intake(application.books.current().names, to_us(application.clock()))
    return [build(sent, intake, problems) for sent, problems in map(read_fields, items)]


def _record(application: Application, ctx: Context, items: Sequence[dict[str, Any]]) -> None:
    book = application.books.current()
    priced = [usage.price(ctx, book, submission) for submission in _submissions(application, items)]
    outcomes = usage.record(ctx, [Batch(priced)])
    if not all(isinstance(outcome, usage.RecordedUsage) for outcome in outcomes[0]):
        raise RuntimeError(f"not recorded: {outcomes[0][:3]}")


def _rows(url: str, organization_id: str, batches: int, size: int) -> list[tuple[list[Any], list[bare.KeyRow]]]:
    """Finished rows and keys, with a partition for each, made before the clock starts."""
    application = open_ledger(url)
    storage = open_storage(url)
    try:
        storage.make_partitions(1, application.clock())
        number = _number_of(storage, organization_id)
        ctx = application.context(OWNER)
        return [_finished(application, ctx, list(_fields(organization_id, size)), number) for _ in range(batches)]
    finally:
        storage.close()
        application.close()


def _number_of(storage: Storage, organization_id: str) -> int:
    """The number that keys are stored under, which services do not see."""
    if not isinstance(storage, Database):
        raise TypeError(f"a storage of an unknown kind: {storage!r}")
    with storage.transaction() as tx:
        return organizations.number_of(tx, organization_id) or 0


def _finished(
    application: Application, ctx: Context, items: Sequence[dict[str, Any]], number: int
) -> tuple[list[Any], list[bare.KeyRow]]:
    rows: list[Any] = []
    keys: list[bare.KeyRow] = []
    book = application.books.current()
    for submission in _submissions(application, items):
        priced = usage.price(ctx, book, submission)
        hashed = key_hash(submission.organization_id, submission.source, submission.key or "")
        rows.append(
            values_of(
                NewRecord(
                    submission,
                    uid_of_key(hashed),
                    hashed,
                    priced.status,
                    priced.currency,
                    priced.cost_e10,
                    priced.price_number,
                )
            )
        )
        keys.append((hashed, submission.timestamp_us, submission.payload_hash, number))
    return rows, keys
