"""A batch to the ledger and its judgement back, for each record; what can be mended is mended and sent again, once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional, Union

from llm_cost_ops._transport import Answer, Transport
from llm_cost_ops.delivery.answers import KEY, LATER, Judged, Refusal, Unjudged, read_answer, server_time_ns
from llm_cost_ops.delivery.bodies import Completed, says
from llm_cost_ops.delivery.counters import Counters
from llm_cost_ops.delivery.frames import Entry
from llm_cost_ops.delivery.mending import mended, named
from llm_cost_ops.exceptions import ApiError, ConnectionError, CostOpsError
from llm_cost_ops.notices import NOTICES
from llm_cost_ops.settings import Settings

_AHEAD, _BEHIND = "in_the_future", "too_early"
_CLOCK = (_AHEAD, _BEHIND)
_DAY_NS = 86_400 * 10**9


class Poster:
    """Sends records, and knows what the client adds to each."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        organization: Callable[[], Optional[str]],
        counters: Counters,
    ) -> None:
        """`organization` finds the key's own where the settings name none; it raises CostOpsError."""
        self._transport = transport
        self._settings = settings
        self._organization = organization
        self._counters = counters
        self._completed: Optional[Completed] = None
        self.detailed = False
        """Somebody listens, and wants to know each record's model and tokens."""
        self.seconds_left: Optional[float] = None
        """How long a request may take, where the process is about to end."""

    def judge(self, entries: Sequence[Entry]) -> Union[Judged, Unjudged]:
        """What the ledger says to these records. Raises nothing that comes of the network."""
        try:
            completed = self._completed = self._completed or self._complete()
            answer = self._post(completed, [completed.record(entry) for entry in entries])
            judged = read_answer(answer, len(entries))
            if isinstance(judged, Unjudged) or not any(judged.refusals):
                return judged
            return self._second_look(entries, judged, answer, completed)
        except ApiError as error:
            return Unjudged(KEY if error.status < 500 and error.status != 429 else LATER, str(error))
        except (ConnectionError, CostOpsError) as error:
            return Unjudged(LATER, str(error))

    def _complete(self) -> Completed:
        organization_id = self._settings.organization_id or self._organization()
        return Completed(organization_id, self._settings.default_pricing)

    def _post(self, completed: Completed, records: Sequence[bytes]) -> Answer:
        body = completed.batch(records)
        path = "usage/batch?details=true" if self.detailed else "usage/batch"
        seconds = self._settings.timeout
        if self.seconds_left is not None:
            seconds = max(0.1, min(seconds, self.seconds_left))
        return self._transport.send("POST", path, content=body.content, headers=body.headers, timeout=seconds)

    def _second_look(
        self, entries: Sequence[Entry], judged: Judged, answer: Answer, completed: Completed
    ) -> Union[Judged, Unjudged]:
        again: dict[int, bytes] = {}
        for index, refusal in enumerate(judged.refusals):
            if refusal is not None and not refusal.is_conflict:
                record = self._mended(entries[index], refusal, answer, completed)
                if record is not None:
                    again[index] = record
        if not again:
            return judged
        second = read_answer(self._post(completed, list(again.values())), len(again))
        if isinstance(second, Unjudged):
            return second
        return _merged(judged, list(again), second)

    def _mended(self, entry: Entry, refusal: Refusal, answer: Answer, completed: Completed) -> Optional[bytes]:
        of_clock = any(refusal.has(reason) for reason in _CLOCK)
        at_ns = self._redated(entry, answer, behind=refusal.has(_BEHIND)) if of_clock else None
        others = refusal._replace(problems=[problem for problem in refusal.problems if problem[1] not in _CLOCK])
        if not others.problems:
            return None if at_ns is None else completed.record(entry, at_ns)
        record = mended(entry.record, others)
        if record is None or (of_clock and at_ns is None):
            return None
        self._counters.mended += 1
        NOTICES.warn(
            "mended",
            f"the ledger refuses parts of a tracked call; they are made fit or left out: {named(others.problems)}",
        )
        return completed.record(entry._replace(record=record), at_ns)

    def _redated(self, entry: Entry, answer: Answer, *, behind: bool) -> Optional[int]:
        """A record's time by the server's clock; None where the application said the time itself."""
        server_ns = server_time_ns(answer)
        if server_ns is None or says(entry.record, b'"timestamp":'):
            return None
        ahead_ns = time.time_ns() - server_ns
        self._counters.redated += 1
        NOTICES.warn(
            "clock", f"this machine's clock was wrong (now by {ahead_ns / 1e9:.0f} s): the ledger's is used instead"
        )
        if behind and abs(ahead_ns) < _DAY_NS:  # it was put right since
            return server_ns
        return min(entry.at_ns - ahead_ns, server_ns)


def _merged(first: Judged, indexes: Sequence[int], second: Judged) -> Judged:
    results: list[dict[str, Any]] = list(first.results)
    refusals = list(first.refusals)
    for place, index in enumerate(indexes):
        result: Mapping[str, Any] = second.results[place]
        results[index] = {**result, "index": index}
        refusals[index] = second.refusals[place]
    return Judged(results, refusals)
