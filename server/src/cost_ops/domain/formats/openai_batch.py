"""OpenAI batch output files (Azure's are the same): one line per request, with the response's body.

Every response in them is priced as a batch, which the response itself does not say: its service tier is `default`.
Source: OpenAI's API reference, the request output object of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cost_ops.domain.formats.identities import ledger_key
from cost_ops.domain.formats.reading import Format, Told, each, present, usage_record
from cost_ops.domain.formats.slimming import slim
from cost_ops.domain.formats.values import instant, label, mapping, nested, text
from cost_ops.domain.records_file import Found, Item

DEFAULT_PROVIDER = "openai"


def convert(items: Iterable[Item], told: Told) -> Iterator[Found]:
    """One usage record per answered request; failed ones without usage are skipped."""
    return each(items, lambda item, line: _record(item.place, line, told))


def recognises(values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a value is a line of a batch: with the caller's id, and a response with a status or an error."""
    return any("custom_id" in v and ("status_code" in mapping(v.get("response")) or v.get("error")) for v in values)


def _record(place: int, line: Mapping[str, Any], told: Told) -> Found:
    body = nested(line, "response", "body")
    usage = mapping(nested(body, "usage"))
    if not usage:
        status = nested(line, "response", "status_code")
        failed = bool(line.get("error") or nested(body, "error")) or status not in (None, 200)
        return Found(place, {}, skipped="failed without usage" if failed else "without usage")
    fields = {
        "provider": told.provider or DEFAULT_PROVIDER,
        "model_id": text(nested(body, "model")) or told.model,
        "response": slim(body),
        "processing": "batch",
        "timestamp": instant(nested(body, "created") or nested(body, "created_at")),
        "idempotency_key": ledger_key("openai-batch", text(line.get("id"))),
        "metadata": present(
            {
                "batch_custom_id": label(line.get("custom_id")),
                "batch_request_id": text(nested(line, "response", "request_id")),
            }
        ),
    }
    return usage_record(place, fields)


FORMAT = Format("openai-batch", "an OpenAI batch's output", convert, recognises)
