"""Usage: sending it, reading it, correcting it, proving its cost."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional

from llm_cost_ops._requests import Call, part
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.models.base import many, one
from llm_cost_ops.models.usage import (
    Batch,
    Explanation,
    RevisedRecord,
    Submitted,
    UsageRecord,
    UsageRevision,
)
from llm_cost_ops.resources.asynchronous.usage import AsyncUsage
from llm_cost_ops.resources.loops import on_loop
from llm_cost_ops.resources.synchronous.calling import Resource
from llm_cost_ops.resources.synchronous.pages import Page, page_of
from llm_cost_ops.resources.synchronous.streams import RecordStream
from llm_cost_ops.totals import noted, noted_batch

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from llm_cost_ops.models.fields import CorrectionFields, Filters, UsageFields


class Usage(Resource):
    """`client.usage`."""

    def submit(self, **fields: Unpack[UsageFields]) -> Submitted:
        """Record one call, and wait until it stands in the ledger.

        A key is made where the fields have none, so that a retry counts once. Raises InvalidRequestError with all that
        is wrong in them, ConflictError where the key is taken by other content.
        """
        record = self._record(fields)
        read = noted(self._caller.settings, record, one(Submitted))
        return self._caller.call(Call("POST", "usage", read, body=record, repeatable=True))

    async def submit_async(self, **fields: Unpack[UsageFields]) -> Submitted:
        """The same as `submit`, awaited: on the event loop that runs, whichever it is."""
        return await AsyncUsage(on_loop(self._caller)).submit(**fields)

    def submit_batch(self, records: Iterable[UsageFields], *, atomic: bool = False) -> Batch:
        """Record up to 10,000 calls: each result has its `usage_id` or its `error`. `atomic`: all of them or none."""
        if isinstance(records, (str, Mapping)):
            raise SettingsError("submit_batch takes a list of records, each a mapping of its fields")
        body = {"records": [self._record(one_of) for one_of in records]}
        params = {"atomic": atomic or None}
        read = noted_batch(self._caller.settings, body["records"], one(Batch))
        return self._caller.call(Call("POST", "usage/batch", read, params, body, repeatable=True))

    def get_history(
        self,
        *,
        page: Optional[int] = None,
        page_size: Optional[int] = None,
        cursor: Optional[str] = None,
        **filters: Unpack[Filters],
    ) -> Page[UsageRecord]:
        """Records, newest first: `data`, `pagination`; iterate over the page for everything from it on."""
        params = {**self._mine(filters), "page": page, "page_size": page_size, "cursor": cursor}
        return self._caller.call(page_of(self._caller, "usage/history", params, UsageRecord))

    def stream(self, *, batch_size: int = 1000, **filters: Unpack[Filters]) -> RecordStream:
        """All records of a range, oldest first, in batches and in constant memory. Use it in a `with` block."""
        return RecordStream(self._caller, Call("GET", "usage/stream", _unread, self._mine(filters)), max(1, batch_size))

    def get(self, usage_id: str) -> UsageRecord:
        """One record with its cost."""
        return self._caller.call(Call("GET", f"usage/{part(usage_id)}", one(UsageRecord)))

    def explain(self, usage_id: str) -> Explanation:
        """The proof of an amount: quantities, price, rates, products."""
        return self._caller.call(Call("GET", f"usage/{part(usage_id)}/explain", one(Explanation)))

    def revise(self, usage_id: str, **fields: Unpack[CorrectionFields]) -> RevisedRecord:
        """Correct a record: the fields that change, and a `reason`. The earlier form is kept.

        None takes a field away.
        """
        path = f"usage/{part(usage_id)}"
        return self._caller.call(Call("PUT", path, one(RevisedRecord), body=dict(fields), repeatable=True))

    def revisions(self, usage_id: str) -> list[UsageRevision]:
        """The forms that a corrected record had before, the first first."""
        return self._caller.call(Call("GET", f"usage/{part(usage_id)}/revisions", many(UsageRevision)))

    def _record(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        record = self._owned(fields)
        if "idempotency_key" not in record and "request_id" not in record:
            record["idempotency_key"] = uuid.uuid4().hex
        pricing = self._caller.settings.default_pricing
        if pricing is not None:
            record.setdefault("default_pricing", pricing)
        return record


def _unread(body: Any) -> None:
    """A stream is not read as a whole."""
