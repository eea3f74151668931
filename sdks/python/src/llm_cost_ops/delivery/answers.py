"""What the ledger says to a batch: to each of its records, or to all of them at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Optional, Union

from llm_cost_ops._retrying import retry_after
from llm_cost_ops._transport import Answer

LATER, KEY, SPLIT, FAULT = "later", "key", "split", "fault"
"""Why a batch was not judged: the server cannot now; does not let us; wants smaller ones; fails on this one."""
_TOO_LARGE = 413
_SPLIT = (400, 409, _TOO_LARGE, 415, 422)
_INDEX = re.compile(r"^records\[(\d+)\]\.?")


class Refusal(NamedTuple):
    """Why one record was not taken. `problems` are (field, reason)."""

    code: str
    message: str
    problems: Sequence[tuple[str, str]]

    @property
    def is_conflict(self) -> bool:
        """The key is in the ledger, with other content."""
        return self.code == "CONFLICT" or any(reason == "conflict" for _, reason in self.problems)

    def has(self, reason: str) -> bool:
        """Whether this is one of the reasons."""
        return any(found == reason for _, found in self.problems)


class Judged(NamedTuple):
    """One result per record: as the server gave it, and the refusal where it is one."""

    results: list[dict[str, Any]]
    refusals: list[Optional[Refusal]]


class Unjudged(NamedTuple):
    """Nothing was taken, for a reason that lies in no record."""

    why: str
    message: str
    retry_after: Optional[float] = None


def read_answer(answer: Answer, count: int) -> Union[Judged, Unjudged]:
    """The answer to a batch of so many records."""
    try:
        body = json.loads(answer.body, parse_float=Decimal)
        if answer.status in (200, 201):
            return _results(body["data"]["results"], count)
        error = body["error"]
        said = f"{error['message']} ({answer.status} {error['code']})"
        found = _by_record(error, count) if answer.status in (400, 404, 409) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _of_another(answer)
    return found or _unjudged(answer, said)


def _of_another(answer: Answer) -> Unjudged:
    """Who answers is no ledger: a proxy before it, or what the URL names by mistake. It judges no record."""
    said = f"an answer that is not a ledger's ({answer.status}, {len(answer.body)} bytes): is base_url right?"
    if answer.status in _SPLIT and answer.status != _TOO_LARGE:
        return Unjudged(KEY, said)
    return Unjudged(LATER, said) if answer.status < 400 else _unjudged(answer, said)


def _unjudged(answer: Answer, said: str) -> Unjudged:
    if answer.status in _SPLIT:
        return Unjudged(SPLIT, said)
    if answer.status in (408, 429, 502, 503, 504):
        return Unjudged(LATER, said, retry_after(answer.headers))
    return Unjudged(FAULT if answer.status >= 500 else KEY, said)


def _results(results: list[dict[str, Any]], count: int) -> Union[Judged, Unjudged]:
    if len(results) != count:
        return Unjudged(LATER, f"{len(results)} results for {count} records")
    return Judged(results, [_refusal(result.get("error")) for result in results])


def _refusal(error: Optional[Mapping[str, Any]]) -> Optional[Refusal]:
    if error is None:
        return None
    problems = [(_INDEX.sub("", problem["field"]), problem["reason"]) for problem in _problems(error)]
    return Refusal(error["code"], error["message"], problems)


def _problems(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = error.get("details") or {}
    found = [{"message": error.get("message", ""), **problem} for problem in details.get("errors", [details])]
    return [problem for problem in found if "field" in problem and "reason" in problem]


def _by_record(error: Mapping[str, Any], count: int) -> Optional[Judged]:
    """Refusals by record, of a batch of which nothing was taken; None where what is wrong lies in no record."""
    by_index: dict[int, list[Mapping[str, Any]]] = {}
    for problem in _problems(error):
        found = _INDEX.match(problem["field"])
        if found is not None:
            by_index.setdefault(int(found[1]), []).append(problem)
    if len(by_index) != count:
        return None
    refusals: list[Optional[Refusal]] = []
    for index in range(count):
        of_record = by_index[index]
        problems = [(_INDEX.sub("", problem["field"]), problem["reason"]) for problem in of_record]
        refusals.append(Refusal(error["code"], of_record[0]["message"], problems))
    return Judged([{"index": i, "error": {"code": error["code"]}} for i in range(count)], refusals)


def server_time_ns(answer: Answer) -> Optional[int]:
    """The server's clock, by the header `Date`."""
    try:
        return int(parsedate_to_datetime(answer.headers.get("date", "")).timestamp()) * 1_000_000_000
    except (TypeError, ValueError, IndexError):
        return None
