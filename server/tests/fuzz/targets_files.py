"""Files of other systems and of ours: changed by value, by line and by byte, then read as `cost-ops ingest` does."""

import io
import random
from typing import Any, NamedTuple

from cost_ops.cli.errors import Refused
from cost_ops.cli.files import UsageFile
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.exact_json import parse_json
from cost_ops.domain.formats.known import FORMATS
from cost_ops.domain.formats.reading import Told
from cost_ops.domain.submission import build
from cost_ops.domain.submitted import read_fields
from tests.fuzz import corpus
from tests.fuzz.invariants import check_refusal
from tests.fuzz.mutating import Mutator, encoded, names_in
from tests.fuzz.targets import Target, World

MOST_RECORDS = 200


class SentFile(NamedTuple):
    """A file's name and bytes, and what the user says of it."""

    name: str
    content: bytes
    form: str
    provider: str | None


def _file(chance: random.Random) -> SentFile:
    name, content = chance.choice(corpus.files())
    mutator = Mutator(chance, _names())
    kind = chance.random()
    if kind < 0.75:
        content = _varied_values(name, content, mutator)
    if kind > 0.6:
        content = mutator.varied_bytes(content)
    form = chance.choice(tuple(FORMATS)) if chance.random() < 0.1 else "auto"
    return SentFile(name, content, form, "openai" if chance.random() < 0.3 else None)


def _names() -> tuple[str, ...]:
    return (*corpus.RECORD_NAMES, *corpus.payload_names())


def _varied_values(name: str, content: bytes, mutator: Mutator) -> bytes:
    """With one of its values changed: a line of JSON lines, the whole of other JSON, a cell of a table."""
    if name.endswith((".jsonl", ".sse")):
        lines = content.splitlines()
        at = mutator.chance.randrange(len(lines))
        prefix = b"data: " if lines[at].startswith(b"data: ") else b""
        lines[at] = prefix + _varied_json(lines[at].removeprefix(prefix), mutator)
        return b"\n".join(lines) + b"\n"
    if name.endswith(".csv"):
        cells = content.split(b",")
        cells[mutator.chance.randrange(len(cells))] = encoded(mutator.any_value(1))
        return b",".join(cells)
    return _varied_json(content, mutator)


def _varied_json(text: bytes, mutator: Mutator) -> bytes:
    try:
        value: Any = parse_json(text)
    except ValueError:
        return text
    mutator = Mutator(mutator.chance, names_in([value]) or ("usage",))
    return encoded(mutator.varied(value))


def _ingest(world: World, sent: SentFile) -> bool:
    """Read, check and price every record of a file, as a dry run does."""
    try:
        file = UsageFile(io.BytesIO(sent.content), sent.name)
        found = list(_first(file.records(file.reading(sent.form), Told(sent.provider))))
    except Refused:
        return False
    except CostOpsError as error:
        check_refusal(error)
        return False
    taken = False
    for record in found:
        assert record.place >= 0
        if record.problems:
            assert all(problem.message for problem in record.problems)
        elif not record.skipped:
            taken |= _taken(world, record.fields)
    return taken


def _first(records: Any) -> Any:
    for _, record in zip(range(MOST_RECORDS), records, strict=False):
        yield record


def _taken(world: World, fields: dict[str, Any]) -> bool:
    try:
        fields, problems = read_fields(fields)  # type: ignore[assignment]
        world.check(build(fields, world.intake, problems))
    except CostOpsError as error:
        check_refusal(error)
        return False
    return True


FILES = Target("file", 10, _file, _ingest)
