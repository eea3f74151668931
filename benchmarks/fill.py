"""Fill a ledger with a made-up year of N records, and keep it: `python -m benchmarks.fill --records 10M`.

Rows and keys go in by the bare insert, rollups by the product's own recorder, all in one transaction a chunk. Filled
ledgers stay in the cache folder, one folder each, and are filled once; `--check` compares rollups with records.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import multiprocessing
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import bare, databases
from benchmarks.folding import Folding
from benchmarks.population import DAYS, Population

from cost_ops.storage import migrations, open_storage
from cost_ops.storage.database import Database
from cost_ops.storage.sql import organizations
from cost_ops.storage.transaction import RollupRow
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

CHUNK = 250_000
LARGE_CHUNK = 1_000_000
_TIMEOUT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled ledger: where it lies and what is in it."""

    folder: str
    engine: str
    records: int
    largest: str
    end: str
    seconds: float
    schema: str

    @property
    def end_at(self) -> datetime:
        """The end of the year that was made up: the midnight after the last record."""
        return datetime.fromisoformat(self.end)


def filled(engine: str, records: int, cache: Path) -> Filled:
    """The ledger with so many records; filled now where it is not in the cache."""
    folder = cache / f"{engine}-{records}"
    about = folder / "filled.json"
    if not about.exists() or json.loads(about.read_text()).get("schema") != _schema():
        if folder.exists():
            shutil.rmtree(folder)
        with databases.database(engine, folder, databases.FILLING) as url:
            found = _fill(url, engine, records, folder)
        about.write_text(json.dumps(asdict(found)))
    return Filled(**json.loads(about.read_text()))


def _schema() -> str:
    """What tells this schema from another: a ledger of an older one is filled anew."""
    revisions = sorted(Path(migrations.__file__ or "").parent.glob("versions/*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in revisions)).hexdigest()[:16]


@contextmanager
def opened(ledger: Filled) -> Iterator[str]:
    """The URL of a filled ledger, durable again."""
    with databases.database(ledger.engine, Path(ledger.folder)) as url:
        yield url


def _fill(url: str, engine: str, records: int, folder: Path) -> Filled:
    start = time.monotonic()
    gc.disable()  # nothing here goes in circles, and looking for it takes a third of the time
    prepare_ledger(url, "org-00")
    application = open_ledger(url)
    try:
        population = Population(application.books.refresh())
    finally:
        application.close()
    storage = _storage(url)
    try:
        storage.make_partitions(DAYS // 28, population.start)
        numbers = _organizations(storage, population)
        with storage.transaction(recording=True) as tx:
            folding = Folding(tx, population, numbers)
        done = 0
        for chunk in _made(population, folding, records):
            _store(storage, engine, chunk)
            done += len(chunk.rows)
            _progress(engine, done, records, time.monotonic() - start)
    finally:
        storage.close()
    print(f"fill: {engine}, statistics and checkpoint", file=sys.stderr)
    databases.settle(url)
    seconds = time.monotonic() - start
    return Filled(str(folder), engine, records, population.largest, population.end.isoformat(), seconds, _schema())


def _storage(url: str) -> Database:
    """The storage with its transactions in reach, which services do not see."""
    found = open_storage(url, timeout_seconds=_TIMEOUT_SECONDS)
    if not isinstance(found, Database):
        raise TypeError(f"a storage of an unknown kind: {found!r}")
    return found


def _organizations(storage: Database, population: Population) -> list[int]:
    """Create them; their numbers in order."""
    with storage.transaction(recording=True) as tx:
        organizations.add(tx, {name: name for name in population.organizations}, population.start)
        numbers = organizations.numbers_of(tx, population.organizations)
    return [numbers[name] for name in population.organizations]


class Ready(NamedTuple):
    """A chunk as it is stored: rows, keys with the organisations' real numbers, and rollup rows."""

    rows: list[tuple[Any, ...]]
    keys: list[bare.KeyRow]
    sums: list[RollupRow]


def _made(population: Population, folding: Folding, records: int) -> Iterator[Ready]:
    """Chunks, made up by another process while this one stores those before."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    maker = context.Process(target=_make, args=(population, folding, records, sender), daemon=True)
    maker.start()
    sender.close()
    done = 0
    while done < records:
        chunk: Ready = receiver.recv()
        done += len(chunk.rows)
        yield chunk
    maker.join()


def _make(population: Population, folding: Folding, records: int, sender: Connection) -> None:
    gc.disable()
    numbers = folding.numbers
    for rows, keys, facts in population.chunks(records, CHUNK if records <= 20_000_000 else LARGE_CHUNK):
        numbered = sorted(
            (hashed, timestamp_us, payload, numbers[owner]) for hashed, timestamp_us, payload, owner in keys
        )
        sender.send(Ready(rows, numbered, folding.rows(facts)))


def _store(storage: Database, engine: str, chunk: Ready) -> None:
    insert = bare.sqlite_rows if engine == "sqlite" else bare.postgres_rows
    with storage.transaction(recording=True) as tx:
        insert(tx.raw, chunk.rows, chunk.keys)
        tx.driver.add_rollups(tx, chunk.sums)


def _progress(engine: str, done: int, records: int, seconds: float) -> None:
    rate = done / seconds
    left = (records - done) / rate
    print(f"fill: {engine} {done:,} of {records:,}, {rate:,.0f} records/s, {left:.0f} s left", file=sys.stderr)


def check(ledger: Filled) -> list[str]:
    """Where the rollups of its smaller organisations differ from the records; empty when all is well."""
    found: list[str] = []
    with opened(ledger) as url:
        storage = _storage(url)
        for organization_id in ("org-00", "org-09", "org-49"):
            with storage.ledger(organization_id) as unit:
                found += unit.costs.rollup_differences()
        print(dict(storage.statistics()), file=sys.stderr)
        storage.close()
    return found


def main() -> None:
    """Fill, or find, ledgers."""
    from benchmarks.run import CACHE, counts

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=counts, default=[1_000_000])
    parser.add_argument("--engine", choices=databases.ENGINES)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    for engine in [options.engine] if options.engine else databases.ENGINES:
        for records in options.records:
            ledger = filled(engine, records, options.cache)
            print(f"{engine}: {ledger.records:,} records in {ledger.seconds:.0f} s, in {ledger.folder}")
            for line in check(ledger) if options.check else ():
                print(line)


if __name__ == "__main__":
    main()
