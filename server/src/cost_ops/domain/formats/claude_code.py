"""Claude Code's own logs of its sessions: `~/.claude/projects/**/*.jsonl`.

An answer stands on several lines, one per block of its content, each with `message.usage` as it was then: the last line
counts. Answers are told apart by `message.id`, which is the API's response id; resumed sessions and side conversations
repeat them with other request ids. The format is not documented; the facts were gathered from public readers of it,
foremost ccusage (github.com/ryoppippi/ccusage). `costUSD` of old versions is the program's own sum, and kept as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cost_ops.domain.formats.identities import ledger_key
from cost_ops.domain.formats.models import maker, served
from cost_ops.domain.formats.reading import Format, Told, not_an_object, present, usage_record
from cost_ops.domain.formats.values import amount, instant, is_count, label, nested, text, whole
from cost_ops.domain.payloads import MIN_RESPONSE_ID
from cost_ops.domain.records_file import Found, Item

SYNTHETIC = "<synthetic>"
MAX_OPEN = 1_000
"""Answers whose last line may still come; lines of one answer stand close together."""

_HOSTS = {"msg_bdrk_": "aws", "msg_vrtx_": "google"}
"""What the ids of Claude's answers begin with where another cloud than Anthropic's served them."""

_OF_LINE = ("sessionId", "uuid", "requestId", "timestamp", "cwd", "version", "isSidechain", "costUSD")
_OF_MESSAGE = ("id", "model", "usage", "stop_reason")

_NO_KEY = "line "
"""Begins the key of an answer without an id: every line is an answer of its own."""

_FOLDER = re.compile(r"[/\\]")


@dataclass(slots=True)
class _Answer:
    """What is known of one answer so far. `timestamp` is that of its first line."""

    place: int
    entry: Mapping[str, Any]
    timestamp: Any
    finished: bool


def convert(items: Iterable[Item], told: Told) -> Iterator[Found]:
    """One usage record per answer of a model; other lines of the log are nothing to count."""
    open_answers: dict[str, _Answer] = {}
    for item in items:
        if fault := not_an_object(item):
            yield fault
            continue
        entry = _entry(item.value)
        if entry is None:
            continue
        key = _key(entry, item.place)
        if key in told.seen:
            yield Found(item.place, {}, skipped="told before")
        elif key in open_answers:
            _take(open_answers[key], item.place, entry)
        else:
            open_answers[key] = _Answer(item.place, entry, entry.get("timestamp"), _is_finished(entry))
            if len(open_answers) > MAX_OPEN:
                oldest = next(iter(open_answers))
                yield _record(oldest, open_answers.pop(oldest), told)
    for key, answer in open_answers.items():
        yield _record(key, answer, told)


def recognises(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value is a line of a session: with its session, and a message or a link to the line before."""
    return any("sessionId" in v and ("parentUuid" in v or "message" in v or "leafUuid" in v) for v in values)


def _entry(line: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What counts of a line, or of the one that a progress line repeats, where it is a model's answer with usage."""
    inner = nested(line, "data", "message")
    entry = {**line, **inner} if isinstance(inner, Mapping) and "message" in inner else line
    message = entry.get("message")
    if not isinstance(message, Mapping) or not isinstance(message.get("usage"), Mapping):
        return None
    # Without what was said, so that many answers can be open at a time.
    kept = {name: entry[name] for name in _OF_LINE if name in entry}
    return kept | {"message": {name: message[name] for name in _OF_MESSAGE if name in message}}


def _key(entry: Mapping[str, Any], place: int) -> str:
    stated = nested(entry, "message", "id"), entry.get("requestId"), entry.get("uuid")
    return next((found for value in stated if (found := text(value)) is not None), f"{_NO_KEY}{place}")


def _take(answer: _Answer, place: int, entry: Mapping[str, Any]) -> None:
    """The last usage wins, but none from a line that was written while the answer still came."""
    finished = _is_finished(entry)
    if finished or not answer.finished:
        answer.place, answer.entry, answer.finished = place, entry, finished


def _is_finished(entry: Mapping[str, Any]) -> bool:
    """Whether the answer had ended when the line was written; old versions do not say."""
    message = entry["message"]
    return "stop_reason" not in message or message["stop_reason"] is not None


def _record(key: str, answer: _Answer, told: Told) -> Found:
    entry = answer.entry
    message = entry["message"]
    if not key.startswith(_NO_KEY):
        told.seen.add(key)
    model, usage = text(message.get("model")), message["usage"]
    if model == SYNTHETIC:
        return Found(answer.place, {}, skipped="written by the program itself")
    if not any(is_count(count) and count for count in map(whole, usage.values())) and not _strange(usage):
        return Found(answer.place, {}, skipped="without usage")
    response_id = text(message.get("id"))
    host = served(model or told.model or "")
    folder = text(entry.get("cwd"))
    fields = {
        "provider": _host(response_id) or host.provider or told.provider or maker(host.model_id),
        "model_id": host.model_id or None,
        "region": host.region,
        "usage": usage,
        "timestamp": instant(answer.timestamp),
        "response_id": response_id,
        "idempotency_key": _ledger_key(response_id, key),
        "session_id": text(entry.get("sessionId")),
        "project_id": label(_FOLDER.split(folder.rstrip("/\\"))[-1]) if folder else None,
        "estimated": None if answer.finished else True,
        "tags": {"agent": "claude-code"} | ({"sidechain": "true"} if entry.get("isSidechain") is True else {}),
        "metadata": present(
            {"agent_version": text(entry.get("version")), "claude_code_cost": amount(entry.get("costUSD"))}
        ),
    }
    return usage_record(answer.place, fields)


def _ledger_key(response_id: str | None, key: str) -> str | None:
    """The ledger's key where there is no response id to know the answer by, or one too short to be unique."""
    if (response_id is not None and len(response_id) >= MIN_RESPONSE_ID) or key.startswith(_NO_KEY):
        return None
    return ledger_key("claude-code", key)


def _strange(usage: Mapping[str, Any]) -> bool:
    """Whether a count is none: the ledger says what is wrong with it."""
    return any(not is_count(whole(usage[name])) for name in ("input_tokens", "output_tokens") if name in usage)


def _host(response_id: str | None) -> str | None:
    return next((host for start, host in _HOSTS.items() if response_id and response_id.startswith(start)), None)


FORMAT = Format(
    "claude-code",
    "Claude Code's session logs",
    convert,
    recognises,
    marks=('"sessionId":', '"isSidechain":', '"parentUuid":'),
    folder=True,
)
