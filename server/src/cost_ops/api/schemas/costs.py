"""Cost answers in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import MaybeMoney, Money, MoneyWriter
from cost_ops.api.parameters_known import Asked
from cost_ops.api.schemas.exchange_rates import NotConvertedView, UsedRateView, conversion_views
from cost_ops.domain.costs import CostReport, CostRow, StatusSum

Share = Annotated[str, Meta(description="a part of the whole, from 0 to 1, as text", examples=["0.0123"])]


class StatusShare(Struct):
    """The part of a total that is so sure: requests and cost, with their shares (those of the cost null: unpriced)."""

    status: str
    requests: int
    requests_share: Share
    cost: MaybeMoney
    cost_share: Share | None


class Total(Struct):
    """The sum in one currency (null where nothing has a price). Shares are of this total's cost."""

    currency: str | None
    cost: MaybeMoney
    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int
    unpriced_requests: int
    estimated_cost: Money
    estimated_share: Share
    reported_cost: Money
    reported_share: Share
    invoiced_cost: Money
    invoiced_share: Share
    confidence: Annotated[
        list[StatusShare], Meta(description="by status, best first: invoiced, reported, computed, estimated, unpriced")
    ]


class Unpriced(Struct):
    """Requests without a known cost: they are in no sum of money."""

    requests: int
    share: Share


class Estimated(Struct):
    """Requests whose cost is an estimate, by currency in `totals`."""

    requests: int
    share: Share


class Display(Struct):
    """The conversion of an answer: the rates that it used, what lacked one, and the totals as they were."""

    currency: str
    rates: list[UsedRateView]
    not_converted: list[NotConvertedView]
    original_totals: list[Total]


class CostData(Struct):
    """The answer. `total_cost` and `currency` are null where there are several currencies: see `totals`."""

    organization_id: str | None
    start_date: datetime
    end_date: datetime
    range: Annotated[str | None, Meta(description="the name of the range, where it was asked for by name")]
    timezone: str
    group_by: Sequence[str]
    total_cost: MaybeMoney
    currency: str | None
    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    totals: list[Total]
    unpriced: Unpriced
    estimated: Estimated
    breakdown: Annotated[
        list[dict[str, Any]],
        Meta(
            description="one row per group: a key for each name in group_by, then currency, cost, requests, "
            "input_tokens, output_tokens, cached_tokens, total_tokens, unpriced_requests, estimated_cost"
        ),
    ]
    row_count: Annotated[int, Meta(description="rows before `limit`")]
    data_through: Annotated[
        datetime | None, Meta(description="the time of the newest usage; null for a credential that is bound to a part")
    ]
    sources: Annotated[Sequence[str], Meta(description="what answered: rollup grains, records")]
    display: Annotated[
        Display | None, Meta(description="how amounts came to be in `display_currency`, where one was asked for")
    ]


class CostAnswer(Struct):
    """The answer to a cost question."""

    data: CostData


def share(part: int, whole: int) -> str:
    """part / whole with four decimals, rounded half up; 0 of nothing is 0."""
    if whole <= 0:
        return "0"
    scaled = (part * 20_000 + whole) // (2 * whole)
    text = f"{scaled // 10_000}.{scaled % 10_000:04d}".rstrip("0").rstrip(".")
    return "0.0001" if text == "0" and part > 0 else text


def cost_answer(report: CostReport, asked: Asked, organization_id: str | None, money: MoneyWriter) -> CostAnswer:
    """A report in JSON."""
    totals = report.totals
    requests = sum(t.requests for t in totals)
    inputs, outputs = sum(t.input_tokens for t in totals), sum(t.output_tokens for t in totals)
    unpriced, estimated = sum(t.unpriced_requests for t in totals), sum(t.estimated_requests for t in totals)
    priced = [t for t in totals if t.currency]
    known = len(priced) == 1 or not requests
    total_cost = sum(t.cost_e10 for t in priced) if known else None
    return CostAnswer(
        CostData(
            organization_id=organization_id,
            start_date=asked.span.start,
            end_date=asked.span.end,
            range=asked.name,
            timezone=str(asked.zone),
            group_by=report.query.group_by,
            total_cost=money(total_cost),
            currency=priced[0].currency if len(priced) == 1 else None,
            requests=requests,
            input_tokens=inputs,
            output_tokens=outputs,
            total_tokens=inputs + outputs,
            totals=[_total(t, money) for t in totals],
            unpriced=Unpriced(unpriced, share(unpriced, requests)),
            estimated=Estimated(estimated, share(estimated, requests)),
            breakdown=[row_object(report.query.group_by, row, money) for row in report.rows],
            row_count=report.row_count,
            data_through=report.data_through,
            sources=report.sources,
            display=_display(report, money),
        )
    )


def _display(report: CostReport, money: MoneyWriter) -> Display | None:
    found = report.converted
    if found is None:
        return None
    originals = [_total(total, money) for total in report.original_totals]
    return Display(found.currency, *conversion_views(found), originals)


def _total(row: CostRow, money: MoneyWriter) -> Total:
    return Total(
        currency=row.currency or None,
        cost=money(_known_cost(row)),
        requests=row.requests,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        total_tokens=row.input_tokens + row.output_tokens,
        cached_tokens=row.cached_tokens,
        unpriced_requests=row.unpriced_requests,
        estimated_cost=money(row.estimated_cost_e10),
        estimated_share=share(row.estimated_cost_e10, row.cost_e10),
        reported_cost=money(row.reported_cost_e10),
        reported_share=share(row.reported_cost_e10, row.cost_e10),
        invoiced_cost=money(row.invoiced_cost_e10),
        invoiced_share=share(row.invoiced_cost_e10, row.cost_e10),
        confidence=[_status_share(part, row, money) for part in row.by_status()],
    )


def _status_share(part: StatusSum, row: CostRow, money: MoneyWriter) -> StatusShare:
    known = part.status != "unpriced"
    return StatusShare(
        part.status,
        part.requests,
        share(part.requests, row.requests),
        money(part.cost_e10 if known else None),
        share(part.cost_e10, row.cost_e10) if known else None,
    )


def _known_cost(row: CostRow) -> int | None:
    """The row's cost; None where no request in it has a price: unknown is not zero."""
    return row.cost_e10 if row.currency or not row.requests else None


def row_object(group_by: Sequence[str], row: CostRow, money: MoneyWriter) -> dict[str, Any]:
    """One row of a breakdown."""
    out: dict[str, Any] = dict(zip(group_by, row.group, strict=True))
    out["currency"] = row.currency or None
    out["cost"] = money(_known_cost(row))
    out["requests"] = row.requests
    out["input_tokens"] = row.input_tokens
    out["output_tokens"] = row.output_tokens
    out["cached_tokens"] = row.cached_tokens
    out["total_tokens"] = row.input_tokens + row.output_tokens
    out["unpriced_requests"] = row.unpriced_requests
    out["estimated_cost"] = money(row.estimated_cost_e10)
    return out
