"""How budgets stand, stood and would have gone, in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from cost_ops.api.money import MaybeMoney, Money, MoneyWriter
from cost_ops.api.pages import Pagination
from cost_ops.api.schemas.budgets import Exact, exact
from cost_ops.api.schemas.leases import LeaseLevelView, level_view
from cost_ops.domain.budget_preview import PreviewedPeriod, count_crossings
from cost_ops.domain.budget_standing import Standing, ThresholdStanding, percent
from cost_ops.domain.budget_status import BudgetStatus
from cost_ops.domain.budgets import Budget
from cost_ops.domain.leases import Level

Label = Annotated[str, Meta(description="what people call the period, in its zone", examples=["2026-11"])]


class NotConvertedAmount(Struct):
    """What is spent in a currency without an exchange rate: it is in no sum."""

    currency: str
    amount: Money


class ThresholdView(Struct):
    """A threshold, the amount at which it is reached, and what became of its alert in this period."""

    threshold: Exact
    amount: Money
    reached: bool
    alert_id: str | None
    fired_at: datetime | None
    acknowledged_at: datetime | None
    recovered_at: datetime | None


class StatusView(Struct):
    """A budget in a period. Amounts are in its currency; `available` is what is neither spent nor held by leases."""

    budget_id: str
    organization_id: str
    name: str
    parent_id: str | None
    depth: Annotated[int, Meta(description="how many budgets of this answer are above it")]
    scope: dict[str, list[str]]
    enforcement: str
    currency: str
    state: Annotated[str, Meta(description="ok; warning: a threshold is reached; exceeded; not_in_force")]
    in_force: Annotated[bool, Meta(description="whether it counts the usage of now")]
    period: Label
    period_start: datetime
    period_end: Annotated[datetime, Meta(description="not included")]
    as_of: datetime
    days_left: Exact
    planned: Money
    carried_over: Annotated[Money, Meta(description="from earlier periods; negative where they were overspent")]
    limit: Annotated[Money, Meta(description="planned and carried over, never below 0")]
    spent: Money
    held: Money
    available: Money
    percent_used: Annotated[Exact, Meta(description="of the limit, cut to 2 decimals")]
    rate_per_day: Annotated[MaybeMoney, Meta(description="of the last 7 days; null early in a period and after it")]
    projected_spend: Annotated[MaybeMoney, Meta(description="at this rate, by the period's end")]
    projected_exceeded_at: datetime | None
    thresholds: list[ThresholdView]
    unpriced_requests: Annotated[int, Meta(description="usage without a price: it is in no sum")]
    not_converted: list[NotConvertedAmount]


class StatusOne(Struct):
    """How a budget stands, and those right below it."""

    data: StatusView
    children: list[StatusView]


class StatusPage(Struct):
    """How budgets stand: by name, each followed by those below it."""

    data: list[StatusView]
    pagination: Pagination


class PastPeriod(Struct):
    """A period of a budget."""

    period: Label
    period_start: datetime
    period_end: datetime
    planned: Money
    carried_over: Money
    limit: Money
    spent: Money
    percent_used: Exact
    unpriced_requests: int
    not_converted: list[NotConvertedAmount]


class HistoryAnswer(Struct):
    """The last periods of a budget, the newest first."""

    data: list[PastPeriod]


class CrossedView(Struct):
    """A threshold, and the UTC day on which it was reached."""

    threshold: Exact
    on: date


class PreviewPeriod(PastPeriod):
    """A period as it would have gone."""

    crossed: list[CrossedView]


class PreviewView(Struct):
    """What a budget would have told of the last year: one alert for every threshold crossed."""

    name: str
    currency: str
    alerts: int
    periods: list[PreviewPeriod]


class PreviewAnswer(Struct):
    """A preview, the newest period first."""

    data: PreviewView


class CheckedLevel(LeaseLevelView):
    """A budget that the call would count for, as it stands now."""

    refuses: Annotated[bool, Meta(description="whether a reservation fails because of it")]


class CheckView(Struct):
    """What POST /budgets/reserve would say now. Budgets that the credential may not see count and are not listed."""

    allowed: bool
    amount: Money
    currency: str
    budgets: list[CheckedLevel]


class CheckAnswer(Struct):
    """A decision; nothing is held."""

    data: CheckView


def status_view(standing: Standing, money: MoneyWriter) -> StatusView:
    """How a budget stands, in JSON."""
    status = standing.status
    budget, pace = status.budget, status.pace
    return StatusView(
        budget_id=budget.budget_id,
        organization_id=budget.organization_id,
        name=budget.name,
        parent_id=budget.parent_id,
        depth=standing.depth,
        scope={dimension: sorted(values) for dimension, values in budget.scope.only},
        enforcement=str(budget.enforcement),
        currency=budget.currency,
        state=str(standing.state),
        in_force=standing.in_force,
        period=status.label,
        period_start=status.period.start,
        period_end=status.period.end,
        as_of=status.as_of,
        days_left=exact(standing.days_left, money),
        planned=money(status.planned_e10),
        carried_over=money(status.carried_e10),
        limit=money(status.limit_e10),
        spent=money(status.spent_e10),
        held=money(status.held_e10),
        available=money(status.available_e10),
        percent_used=exact(percent(status.used), money),
        rate_per_day=money(None if pace is None else pace.per_day_e10),
        projected_spend=money(None if pace is None else pace.projected_e10),
        projected_exceeded_at=standing.projected_exceeded_at,
        thresholds=[_threshold(one, money) for one in standing.thresholds],
        unpriced_requests=status.unpriced_requests,
        not_converted=_not_converted(status.unconverted, money),
    )


def _threshold(one: ThresholdStanding, money: MoneyWriter) -> ThresholdView:
    fired = one.fired
    return ThresholdView(
        threshold=exact(one.threshold, money),
        amount=money(one.amount_e10),
        reached=one.reached,
        alert_id=None if fired is None else fired.alert_id,
        fired_at=None if fired is None else fired.fired_at,
        acknowledged_at=None if fired is None else fired.acknowledged_at,
        recovered_at=None if fired is None else fired.recovered_at,
    )


def _not_converted(found: Iterable[tuple[str, int]], money: MoneyWriter) -> list[NotConvertedAmount]:
    return [NotConvertedAmount(currency, money(amount)) for currency, amount in found]


def past_view(status: BudgetStatus, money: MoneyWriter) -> PastPeriod:
    """A period of a budget in JSON."""
    return PastPeriod(
        period=status.label,
        period_start=status.period.start,
        period_end=status.period.end,
        planned=money(status.planned_e10),
        carried_over=money(status.carried_e10),
        limit=money(status.limit_e10),
        spent=money(status.spent_e10),
        percent_used=exact(percent(status.used), money),
        unpriced_requests=status.unpriced_requests,
        not_converted=_not_converted(status.unconverted, money),
    )


def preview_view(budget: Budget, periods: Sequence[PreviewedPeriod], money: MoneyWriter) -> PreviewView:
    """A preview in JSON."""
    views = [
        PreviewPeriod(
            period=one.label,
            period_start=one.period.start,
            period_end=one.period.end,
            planned=money(one.planned_e10),
            carried_over=money(one.carried_e10),
            limit=money(one.limit_e10),
            spent=money(one.spend.cost_e10),
            percent_used=exact(percent(one.used), money),
            unpriced_requests=one.spend.unpriced_requests,
            not_converted=_not_converted(one.spend.unconverted, money),
            crossed=[CrossedView(exact(crossing.threshold, money), crossing.day) for crossing in one.crossings],
        )
        for one in periods
    ]
    return PreviewView(budget.name, budget.currency, count_crossings(periods), views)


def checked_level(level: Level, money: MoneyWriter) -> CheckedLevel:
    """A budget that was asked, in JSON."""
    plain = level_view(level, money)
    return CheckedLevel(**{name: getattr(plain, name) for name in plain.__struct_fields__}, refuses=level.refuses)
