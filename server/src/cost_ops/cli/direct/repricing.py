"""Re-pricing in a database."""

from __future__ import annotations

import gc
from dataclasses import replace

from cost_ops.cli.backend import Document, Watch
from cost_ops.cli.direct.costs import canonical
from cost_ops.cli.reprice_documents import dry_run_document, run_document
from cost_ops.domain.reprice_runs import Reach, RepriceRequest, RepriceRun
from cost_ops.interfaces.context import Context
from cost_ops.services import repricing

COLLECT_AFTER = (50_000, 20, 1000)
"""When to look for garbage cycles, as in the server: a page makes many objects that live shortly and have none, and
looking at each of them again and again was measured to take almost half of the time.
"""


class DirectRepricing:
    """Re-pricing as the installation's owner; runs are done here and now."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def dry_run(self, organization_id: str | None, request: RepriceRequest, watch: Watch) -> Document:
        """What would change; None covers all organisations."""

        def told(reach: Reach) -> None:
            watch(*reach.share)

        gc.set_threshold(*COLLECT_AFTER)
        return dry_run_document(repricing.dry_run(self._ctx, organization_id, self._named(request), told))

    def run(self, organization_id: str | None, request: RepriceRequest, watch: Watch) -> Document:
        """Begin a run and do it."""
        return self._work(repricing.start(self._ctx, organization_id, self._named(request)), watch)

    def resume(self, organization_id: str | None, number: int, watch: Watch) -> Document:
        """Do the rest of a run."""
        return self._work(repricing.resume(self._ctx, organization_id, number), watch)

    def _named(self, request: RepriceRequest) -> RepriceRequest:
        return replace(request, filters=canonical(self._ctx, request.filters))

    def _work(self, run: RepriceRun, watch: Watch) -> Document:
        def told(now: RepriceRun) -> bool:
            watch(*now.reach.share)
            return True

        gc.set_threshold(*COLLECT_AFTER)
        return run_document(repricing.work(self._ctx, run, told))
