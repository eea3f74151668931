"""From the bytes of a request to submissions: a typed decoder for what is right, a plain one that names what is wrong.

Fields that hold exact decimals go the plain way too: there every digit of the sender's text is kept and checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from cost_ops.api.bodies import deeper_than, parse_json
from cost_ops.api.schemas.submitted import DECIMAL_FIELDS, NO_PAYLOAD, DecodedRecord
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import PAYLOAD_FIELDS, read_fields
from cost_ops.domain.usage import UsageSubmission

MAX_BATCH = 10_000
MAX_DEPTH = 32
_EXACT_FIELDS = ("reported_cost", "default_pricing", *sorted({*DECIMAL_FIELDS} - {"reported_cost"}))
_exact_of = attrgetter(*_EXACT_FIELDS)
_NOT_EXACT = (None,) * len(_EXACT_FIELDS)


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    records: list[msgspec.Raw]


_decode_record = msgspec.json.Decoder(DecodedRecord).decode
_decode_payload = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def read_record(raw: bytes | msgspec.Raw, intake: Intake) -> UsageSubmission:
    """The submission that a JSON object describes. Raises InvalidInput with every problem."""
    try:
        sent = _decode_record(raw)
        sent.usage = None if sent.usage is NO_PAYLOAD else _decode_payload(sent.usage)
        sent.response = None if sent.response is NO_PAYLOAD else _decode_payload(sent.response)
    except _NOT_DECODED:
        return read_value(parse_json(bytes(raw)), intake)
    if _exact_of(sent) != _NOT_EXACT:
        return read_value(parse_json(bytes(raw)), intake)
    if sent.metadata is not None and deeper_than(sent.metadata, MAX_DEPTH):
        raise InvalidInput([_too_deep()])
    return build(sent, intake)


def read_value(item: Any, intake: Intake) -> UsageSubmission:
    """The same from plain values, as `parse_json` gives them."""
    problems: list[Problem] = []
    if isinstance(item, Mapping):
        if any(deeper_than(value, MAX_DEPTH) for name, value in item.items() if name not in PAYLOAD_FIELDS):
            raise InvalidInput([_too_deep()])
        item = {k: _with_floats(v) if k in ("tags", "metadata") else v for k, v in item.items()}
    sent, problems = read_fields(item)
    if not isinstance(item, Mapping):
        raise InvalidInput(problems)
    return build(sent, intake, problems)


def _too_deep() -> Problem:
    return Problem("metadata", "too_deep", f"objects and lists may be nested {MAX_DEPTH} deep at most")


def _with_floats(value: Any) -> Any:
    """Free-form values as the typed decoder gives them, so that both ways take the same record for the same."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {k: _with_floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_floats(v) for v in value]
    return value


def read_batch(body: bytes) -> list[msgspec.Raw] | list[Any]:
    """The records of a batch, undecoded where the typed decoder could tell them apart. Raises InvalidInput."""
    records: list[msgspec.Raw] | list[Any]
    try:
        records = _decode_batch(body).records
    except _NOT_DECODED:
        records = _plain_batch(parse_json(body))
    if not records:
        raise invalid("records", "missing_required_field", "records must hold at least one usage record")
    if len(records) > MAX_BATCH:
        message = f"records holds {len(records)} records; the limit is {MAX_BATCH} in a batch"
        raise invalid("records", "too_many", message)
    return records


def _plain_batch(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        raise invalid("", "invalid_type", 'a batch must be a JSON object: {"records": […]}')
    problems = [
        Problem(name[:80], "unknown_field", f"{name[:80]!r} is not a field of a batch; it has only records")
        for name in value
        if name != "records"
    ]
    records = value.get("records")
    if records is None:
        problems.append(Problem("records", "missing_required_field", "records is required"))
    elif not isinstance(records, list):
        problems.append(Problem("records", "invalid_type", "records must be a list of usage records"))
    if problems or not isinstance(records, list):
        raise InvalidInput(problems)
    return records


def read_item(item: Any, intake: Intake) -> UsageSubmission:
    """One record of `read_batch`. Raises InvalidInput."""
    return read_record(item, intake) if isinstance(item, msgspec.Raw) else read_value(item, intake)
