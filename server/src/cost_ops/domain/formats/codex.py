"""OpenAI Codex's logs of its sessions: `~/.codex/sessions/**/rollout-*.jsonl`.

Newer versions write a `token_usage_record` with the response's id for every response; then only these count. Older ones
write `token_count` events: `last_token_usage` is one response's, `total_token_usage` everything of the session so far.
An event whose total did not move repeats the one before. The service tier stands in the settings of the thread or
beside the counts, in versions that write it at all. A session that was forked from another, as a subagent's is, begins
with the other's history, written at once.

Facts: `TokenUsage`, `TokenUsageInfo` and the rollout recorder in codex-rs (github.com/openai/codex), and ccusage's
reader for histories of forks. Counts are OpenAI's: input includes cached, output includes reasoning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.formats.identities import ledger_key
from cost_ops.domain.formats.models import maker, served
from cost_ops.domain.formats.reading import Format, Told, not_an_object, present, usage_record
from cost_ops.domain.formats.values import instant, is_count, label, mapping, nested, text, whole
from cost_ops.domain.periods import parse_instant, to_us
from cost_ops.domain.records_file import Found, Item

COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_KINDS = frozenset({"session_meta", "turn_context", "event_msg", "response_item", "token_usage_record", "compacted"})
BURST_US = 1_000_000
"""Lines of a history that is written at once follow each other within this time (microseconds)."""

_Usage = Mapping[str, Any]


@dataclass(slots=True)
class _Session:
    """What the lines so far say of a session. `history_us` is set while the lines are another session's history."""

    session_id: str | None = None
    project_id: str | None = None
    provider: str | None = None
    model: str | None = None
    service_tier: str | None = None
    version: str | None = None
    known: bool = False
    history_us: int | None = None
    total: _Usage | None = None
    has_records: bool = False


def convert(items: Iterable[Item], told: Told) -> Iterator[Found]:
    """One usage record per response of a model."""
    session = _Session()
    for item in items:
        if fault := not_an_object(item):
            yield fault
            continue
        line, payload = item.value, item.value.get("payload")
        if not isinstance(payload, Mapping):
            continue
        kind = line.get("type")
        if kind == "session_meta":
            _begin(session, line, payload)
        elif kind == "turn_context":
            _settle(session, payload)
        elif kind == "event_msg" and payload.get("type") == "thread_settings_applied":
            _settle(session, mapping(payload.get("thread_settings")) or payload)
        elif kind == "token_usage_record":
            session.has_records = True
            _settle(session, payload)
            response_id = text(payload.get("response_id"))
            yield _record(item.place, session, line, told, usage=payload.get("usage"), response_id=response_id)
        elif kind == "event_msg" and payload.get("type") == "token_count":
            usage = _of_event(session, payload)
            if usage is not None and not session.has_records:
                yield _record(item.place, session, line, told, usage=usage)


def recognises(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value is a line of a rollout."""
    return any(str(v.get("type")) in _KINDS and isinstance(v.get("payload"), Mapping) for v in values)


def _begin(session: _Session, line: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
    """The first header is the session's own; a fork repeats its parent's after it."""
    if session.known:
        return
    session.known = True
    session.session_id = text(payload.get("id")) or text(payload.get("session_id"))
    folder = text(payload.get("cwd"))
    session.project_id = label(folder.rstrip("/\\").replace("\\", "/").rpartition("/")[2]) if folder else None
    session.provider = text(payload.get("model_provider"))
    session.model = text(payload.get("model"))
    session.version = text(payload.get("cli_version"))
    spawned = nested(payload, "source", "subagent", "thread_spawn")
    if text(payload.get("forked_from_id")) or isinstance(spawned, Mapping):
        session.history_us = _us(line)


def _settle(session: _Session, settings: Mapping[str, Any]) -> None:
    """What is said of the calls from here on: their model, and the tier that is asked for (twice the price if fast)."""
    session.model = text(settings.get("model")) or session.model
    if "service_tier" in settings:
        session.service_tier = text(settings["service_tier"])


def _us(line: Mapping[str, Any]) -> int | None:
    stated = instant(line.get("timestamp"))
    try:
        return to_us(parse_instant(stated, "timestamp")) if stated is not None else None
    except InvalidInput:
        return None


def _of_event(session: _Session, payload: Mapping[str, Any]) -> _Usage | None:
    """The usage of one response that an event tells; None where it tells nothing new."""
    info = payload.get("info")
    total, last = nested(info, "total_token_usage"), nested(info, "last_token_usage")
    before = session.total
    if isinstance(total, Mapping):
        if before is not None and _marks(total) == _marks(before):
            return None
        session.total = total
    _settle(session, {**mapping(info), **payload})
    if isinstance(last, Mapping):
        return last
    return _difference(total, before) if isinstance(total, Mapping) else None


def _counts(usage: _Usage) -> tuple[Any, ...]:
    return tuple(whole(usage.get(name)) or 0 for name in COUNTS)


def _marks(usage: _Usage) -> tuple[Any, ...]:
    """What moves when a total moves; some versions state only the sum."""
    return (*_counts(usage), whole(usage.get("total_tokens")))


def _difference(total: _Usage, before: _Usage | None) -> _Usage:
    """How far a total has moved; a total that fell began anew."""
    now, then = _counts(total), _counts(before or {})
    if not all(map(is_count, (*now, *then))) or any(n < t for n, t in zip(now, then, strict=True)):
        return total
    return {name: n - t for name, n, t in zip(COUNTS, now, then, strict=True)}


def _is_history(session: _Session, line: Mapping[str, Any]) -> bool:
    """Whether a line of a fork still belongs to the history that it began with."""
    at_us = _us(line)
    if session.history_us is None or at_us is None:
        return False
    if at_us <= session.history_us + BURST_US:
        session.history_us = max(at_us, session.history_us)
        return True
    session.history_us = None
    return False


def _record(
    place: int, session: _Session, line: Mapping[str, Any], told: Told, *, usage: Any, response_id: str | None = None
) -> Found:
    if not isinstance(usage, Mapping):
        return Found(place, {}, [Problem("usage", "missing_required_field", "payload.usage is required")])
    if response_id is None and _is_history(session, line):
        return Found(place, {}, skipped="history of the session that this one was forked from")
    if not any(_counts(usage)):
        return Found(place, {}, skipped="without usage")
    key = response_id or _key(session, line, usage)
    if key in told.seen:
        return Found(place, {}, skipped="told before")
    told.seen.add(key)
    host = served(session.model or told.model or "", session.provider)
    fields = {
        "provider": host.provider or told.provider or maker(host.model_id),
        "model_id": host.model_id or None,
        "usage": _as_response_usage(usage),
        "timestamp": instant(line.get("timestamp")),
        "response_id": response_id,
        "idempotency_key": None if response_id else ledger_key("codex", key),
        "service_tier": session.service_tier,
        "session_id": session.session_id,
        "project_id": session.project_id,
        "tags": {"agent": "codex"},
        "metadata": present({"agent_version": session.version}),
    }
    return usage_record(place, fields)


def _key(session: _Session, line: Mapping[str, Any], usage: _Usage) -> str:
    """The same event in a copy of the file has the same key."""
    counted = "-".join(map(str, _marks(session.total or usage)))
    return f"{session.session_id or ''}:{line.get('timestamp')}:{counted}"


def _as_response_usage(usage: _Usage) -> dict[str, Any]:
    """The counts in the form of OpenAI's Responses API, from which Codex has them."""
    details = {
        "cached_tokens": usage.get("cached_input_tokens"),
        "cache_write_tokens": usage.get("cache_write_input_tokens"),
    }
    found = {
        "input_tokens": whole(usage.get("input_tokens", 0)),
        "input_tokens_details": {name: whole(count) for name, count in details.items() if count is not None},
        "output_tokens": whole(usage.get("output_tokens", 0)),
        "output_tokens_details": present({"reasoning_tokens": whole(usage.get("reasoning_output_tokens"))}),
        "total_tokens": whole(usage.get("total_tokens")),
    }
    return present(found)


FORMAT = Format(
    "codex",
    "Codex's session logs",
    convert,
    recognises,
    marks=('"type":"session_meta"', '"payload":'),
    folder=True,
)
