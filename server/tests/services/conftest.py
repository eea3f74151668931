"""An installation on each real database, and short ways to use its services."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.periods import to_us
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.domain.usage import UsageSubmission
from cost_ops.interfaces.context import Context, IngestRules
from cost_ops.services import organizations, pricing, usage
from cost_ops.settings import load_settings
from tests.domain.builders import NOW
from tests.postgres_server import fresh_database

_numbers = itertools.count(1)
_COUNTS = ("input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "images", "usage", "response")


class Desk:
    """One organisation of an installation, and someone who may do everything in it."""

    def __init__(self, application: Application, now: datetime = NOW) -> None:
        """A fresh organisation; time stands still at `now`."""
        self.application = application
        self.now = now
        self.org = f"org-{next(_numbers)}"
        organizations.ensure(self.context(OWNER), self.org)

    def context(self, principal: Principal = OWNER, *, strict: bool = False) -> Context:
        """A context at the desk's own time."""
        rules = IngestRules(strict=strict)
        return replace(self.application.context(principal), clock=lambda: self.now, rules=rules)

    @property
    def ctx(self) -> Context:
        """The owner's context."""
        return self.context()

    def price(self, model: str = "m", provider: str = "openai", *, own: bool = True, **fields: Any) -> pricing.Added:
        """Add a price: the organisation's own, or the installation's."""
        dates = {k: fields.pop(k) for k in ("effective_from", "effective_to", "currency") if k in fields}
        rates = rates_from_fields(fields or {"input_price_per_1k": "0.01", "output_price_per_1k": "0.03"})
        return pricing.add(self.ctx, self.org if own else None, pricing.NewPrice(provider, model, rates, **dates))

    def submission(self, **fields: Any) -> UsageSubmission:
        """A checked submission of this organisation."""
        fields = {"provider": "openai", "model_id": "m", "organization_id": self.org} | fields
        if not fields.keys() & {*_COUNTS}:
            fields |= {"input_tokens": 1000, "output_tokens": 500}
        sent, problems = read_fields(fields)
        names, shapes = self.application.books.current().names, self.application.shapes
        return build(sent, Intake(names, to_us(self.now), shapes=shapes), problems)

    def record(self, *submissions: UsageSubmission, atomic: bool = False, ctx: Context | None = None) -> list[Any]:
        """Price and record in one batch."""
        ctx = ctx or self.ctx
        book = self.application.books.current()
        items = [usage.price(ctx, book, s) for s in submissions]
        return list(usage.record(ctx, [usage.Batch(items, atomic)])[0])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def application(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[Application]:
    """An empty installation, one per module and database."""
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("ledger")
        yield from _opened(f"sqlite:{folder / 'ledger.db'}")
        return
    with fresh_database(postgres_url) as url:
        yield from _opened(url)


def _opened(url: str) -> Iterator[Application]:
    migrate(url)
    application = open_application(load_settings(environment={}, flags={"database.url": url}))
    yield application
    application.close()


@pytest.fixture
def desk(application: Application) -> Desk:
    """An organisation of this test's own."""
    return Desk(application)
