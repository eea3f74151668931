"""Whatever happens in whatever order: rollups are what the records add up to, and doing it again changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cost_ops.bootstrap import Application
from cost_ops.domain.costs import CostQuery
from cost_ops.domain.errors import Conflict
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.reprice_runs import RepriceRequest
from cost_ops.domain.repricing import CostedUsage, Kept, reconsider
from cost_ops.domain.usage import UsageRecord
from cost_ops.services import corrections, costs, pricing, repricing, retention
from tests.services.conftest import Desk

BEGIN = datetime(2026, 1, 20, tzinfo=UTC)
SPAN = TimeRange(BEGIN, BEGIN + timedelta(days=60))
MODELS, USERS, TAGS = (
    st.sampled_from(["a", "b"]),
    st.sampled_from(["u", "v", None]),
    st.sampled_from([{}, {"t": "1"}, {"t": "2"}]),
)
DAYS, TOKENS = st.integers(0, 40), st.integers(0, 5_000)

INGEST = st.tuples(st.just("ingest"), MODELS, DAYS, TOKENS, USERS, TAGS, st.booleans())
PRICE = st.tuples(
    st.just("price"), MODELS, DAYS | st.none(), st.integers(1, 9), st.sampled_from(["USD", "EUR"]), st.booleans()
)
END = st.tuples(st.just("end"), st.integers(0, 3), DAYS)
REPRICE = st.tuples(st.just("reprice"), DAYS, st.booleans())
CORRECT = st.tuples(
    st.just("correct"),
    st.integers(0, 9),
    st.fixed_dictionaries({}, optional={"output_tokens": TOKENS, "model_id": MODELS, "user_id": USERS, "tags": TAGS}),
)
ERASE = st.tuples(st.just("erase"), st.sampled_from(["u", "v"]), st.booleans())
STEPS = st.lists(st.one_of(INGEST, INGEST, INGEST, PRICE, END, REPRICE, CORRECT, ERASE), max_size=10)


class Ledger:
    """One organisation, to which things happen."""

    def __init__(self, application: Application) -> None:
        self.desk = Desk(application)
        self.prices: list[str] = []

    def happen(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])

    def ingest(self, model: str, day: int, tokens: int, user: str | None, tags: Any, reported: bool) -> None:
        at = BEGIN + timedelta(days=day, hours=tokens % 24)
        more = {"reported_cost": "0.01"} if reported else {}
        usage = {"input_tokens": tokens, "output_tokens": 1, "user_id": user, "tags": tags or None, "timestamp": at}
        self.desk.record(self.desk.submission(model_id=model, **usage, **more))

    def price(self, model: str, day: int | None, amount: int, currency: str, own: bool) -> None:
        since = None if day is None else BEGIN + timedelta(days=day)
        rates = rates_from_fields({"input_price_per_1k": str(amount), "output_price_per_1k": "1"})
        # Shared prices are of a model that no other example knows.
        name = model if own else f"{model}-{self.desk.org}"
        new = pricing.NewPrice("openai", name, rates, currency=currency, effective_from=since)
        try:
            self.prices.append(pricing.add(self.desk.ctx, self.desk.org if own else None, new).price.price_id)
        except Conflict:
            return

    def end(self, which: int, day: int) -> None:
        if which < len(self.prices):
            at = BEGIN + timedelta(days=day)
            price = pricing.get(self.desk.ctx, self.desk.org, self.prices[which])
            if price.effective_from is None or price.effective_from < at:
                pricing.end(self.desk.ctx, self.desk.org, self.prices[which], at)

    def reprice(self, day: int, unprice: bool) -> None:
        span = TimeRange(BEGIN + timedelta(days=day), SPAN.end)
        self.run(RepriceRequest(span, unprice=unprice))

    def run(self, request: RepriceRequest) -> int:
        """How many costs were superseded; the dry run before says the same, one after it finds nothing."""
        ctx, org = self.desk.ctx, self.desk.org
        foreseen = repricing.dry_run(ctx, org, request).tally
        done = repricing.work(ctx, repricing.start(ctx, org, request)).tally
        assert done == foreseen
        assert repricing.dry_run(ctx, org, request).tally.changed == 0
        return done.changed

    def correct(self, which: int, fields: dict[str, Any]) -> None:
        records = self.records()
        if which < len(records):
            usage_id = records[which].usage_id
            first, again = (
                corrections.correct(self.desk.ctx, self.desk.org, usage_id, fields, reason="r") for _ in range(2)
            )
            assert (again.changed, again.record, again.revision) == (False, first.record, first.revision)

    def erase(self, user: str, with_tag: bool) -> None:
        tags = ["t"] if with_tag else []
        had = sum(record.user_id == user for record in self.records())
        assert retention.erase(self.desk.ctx, self.desk.org, user, tags=tags).records == had
        assert all(record.user_id != user for record in self.records())

    def records(self) -> list[UsageRecord]:
        with self.desk.application.storage.ledger(self.desk.org) as ledger:
            return list(ledger.usage.stream(start_us=None, end_us=None, filters=()))

    def check(self) -> None:
        """Rollups are the records' sums, by every dimension that has any."""
        with self.desk.application.storage.ledger(self.desk.org) as ledger:
            assert ledger.costs.rollup_differences() == []
        for group_by in ((), ("user",), ("model", "day"), ("tag:t",), ("project", "month")):
            quick = costs.query(self.desk.ctx, self.desk.org, CostQuery(SPAN, group_by=group_by))
            truth = costs.query(self.desk.ctx, self.desk.org, CostQuery(SPAN, group_by=group_by, from_records=True))
            assert (quick.totals, quick.rows) == (truth.totals, truth.rows)

    def fresh_book(self) -> PriceBook:
        with self.desk.application.storage.installation() as installation:
            return PriceBook(installation.book_prices(), names=self.desk.application.books.current().names)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_any_interleaving_leaves_rollups_equal_to_records(
    application: Application, steps: list[tuple[Any, ...]]
) -> None:
    ledger = Ledger(application)
    for step in steps:
        ledger.happen(step)
    ledger.check()
    ledger.run(RepriceRequest(SPAN))
    ledger.check()
    book, records = ledger.fresh_book(), ledger.records()
    assert all(isinstance(reconsider(book, CostedUsage.of(r), lambda _: None), Kept) for r in records)
    totals = costs.query(ledger.desk.ctx, ledger.desk.org, CostQuery(SPAN)).totals
    assert sum(t.cost_e10 for t in totals) == sum(r.cost_e10 or 0 for r in records)
    assert sum(t.requests for t in totals) == len(records)


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(usage=st.lists(INGEST, min_size=1, max_size=6), prices=st.lists(PRICE, max_size=4), order=st.randoms())
def test_the_order_of_arrival_does_not_matter_once_costs_are_worked_out_again(
    application: Application, usage: list[tuple[Any, ...]], prices: list[tuple[Any, ...]], order: Any
) -> None:
    dated = [(*p[:2], 0 if p[2] is None else p[2], *p[3:5], True) for p in prices]
    dated = list({(p[1], p[2]): p for p in dated}.values())
    # A reported amount stands where no price was known when it came: there the order does matter.
    usage = [(*u[:6], False) for u in usage]
    sums = []
    for late in (False, True):
        ledger = Ledger(application)
        steps = [*dated, *usage]
        if late:
            # Prices keep their order: each ends the one before it.
            for step in usage:
                steps.remove(step)
            for step in usage:
                steps.insert(order.randint(0, len(steps)), step)
        for step in steps:
            ledger.happen(step)
        ledger.run(RepriceRequest(SPAN))
        ledger.check()
        found = costs.query(ledger.desk.ctx, ledger.desk.org, CostQuery(SPAN, group_by=("model", "user"))).rows
        sums.append([(r.group, r.currency, r.cost_e10, r.requests) for r in found])
    assert sums[0] == sums[1]
