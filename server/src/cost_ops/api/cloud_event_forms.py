"""The forms that one CloudEvent comes in: a JSON object with everything, or headers around its data."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote

from cost_ops.api.bodies import parse_json
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.periods import parse_instant
from cost_ops.domain.text import text_fault

VERSION = "1.0"
_REQUIRED = ("id", "source", "specversion", "type")
_OPTIONAL = ("subject", "time", "datacontenttype")
_LONGEST = 1024
_JSON_MEDIA = re.compile(r"(?:application|text)/(?:[\w.+-]+\+)?json(?:\s*;.*)?\Z", re.IGNORECASE)


class Event(NamedTuple):
    """What is used of an event; `data` is plain JSON values."""

    event_id: str
    source: str
    kind: str
    time: datetime | None
    subject: str | None
    data: Any


def read_structured(value: Any) -> Event:
    """An event in JSON format. Raises InvalidInput with every problem."""
    if not isinstance(value, Mapping):
        raise InvalidInput([Problem("", "invalid_type", "a CloudEvent must be a JSON object")])
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    for name in (*_REQUIRED, *_OPTIONAL):
        given = value.get(name)
        if isinstance(given, str):
            texts[name] = given
        elif given is not None:
            problems.append(Problem(name, "invalid_type", f"{name} must be a text"))
    return _event(texts, _structured_data(value, texts.get("datacontenttype"), problems), problems)


def read_binary(headers: Mapping[bytes, bytes], body: bytes) -> Event:
    """An event whose attributes are `ce-…` headers and whose data is the body. Raises InvalidInput."""
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    for name in (*_REQUIRED, "subject", "time"):
        value = headers.get(b"ce-" + name.encode())
        if value is None:
            continue
        try:
            texts[name] = _header_text(value)
        except UnicodeDecodeError:
            problems.append(Problem(name, "invalid_encoding", f"ce-{name} is not percent-encoded UTF-8"))
    return _event(texts, _json("data", body, problems), problems)


def _structured_data(value: Mapping[str, Any], media: str | None, problems: list[Problem]) -> Any:
    if media is not None and not _JSON_MEDIA.match(media):
        problems.append(Problem("datacontenttype", "not_supported", f"data must be JSON, not {media[:60]!r}"))
        return None
    packed = value.get("data_base64")
    if packed is None:
        return value.get("data")
    if value.get("data") is not None:
        problems.append(Problem("data_base64", "contradiction", "an event has data or data_base64, not both"))
    try:
        return _json("data_base64", base64.b64decode(packed, validate=True), problems)
    except (binascii.Error, TypeError, ValueError):
        problems.append(Problem("data_base64", "invalid_encoding", "data_base64 is not base64"))
        return None


def _json(field: str, body: bytes, problems: list[Problem]) -> Any:
    try:
        return parse_json(body)
    except InvalidInput as error:
        problems.extend(problem.at(field) for problem in error.problems)
        return None


def _event(texts: Mapping[str, str], data: Any, problems: list[Problem]) -> Event:
    """The event of these attributes. Raises InvalidInput with the problems handed in and those found here."""
    named = {problem.field for problem in problems}
    for name in _REQUIRED:
        if not texts.get(name) and name not in named:
            message = f"{name} is required: it makes a CloudEvent of this request"
            problems.append(Problem(name, "missing_required_field", message))
    if (version := texts.get("specversion")) and version != VERSION:
        message = f"specversion {version[:20]!r} is not taken; this is CloudEvents {VERSION}"
        problems.append(Problem("specversion", "not_supported", message))
    for name in ("id", "source", "type", "subject"):
        if fault := text_fault(texts.get(name, ""), _LONGEST):
            problems.append(Problem(name, fault[0], f"{name} {fault[1]}"))
    time = None
    if "time" in texts:
        try:
            time = parse_instant(texts["time"], "time")
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    return Event(texts["id"], texts["source"], texts["type"], time, texts.get("subject") or None, data)


def _header_text(value: bytes) -> str:
    """A header's value: without quotes, percent-decoded. Raises UnicodeDecodeError.

    >>> _header_text(b"Euro%20%E2%82%AC"), _header_text(b'"a b"')
    ('Euro €', 'a b')
    """
    text = value.decode("utf-8").strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote(text, errors="strict")
