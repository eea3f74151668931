"""Analytics: metrics × dimensions × interval, as series over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from msgspec import Struct

from cost_ops.api.money import MoneyWriter
from cost_ops.api.operations import Call, Routes
from cost_ops.api.parameters import Parameter, one_of
from cost_ops.api.parameters_known import (
    FILTERS,
    GROUP_BY,
    METRIC_NAMES,
    ORGANIZATION,
    SPAN,
    asked_range,
    filters_of,
)
from cost_ops.domain.costs import TIME_DIMENSIONS, CostQuery, CostReport, CostRow
from cost_ops.domain.errors import invalid
from cost_ops.domain.periods import parse_zone
from cost_ops.services import costs

routes = Routes("Analytics")
DIMENSION_NAMES = replace(GROUP_BY, name="dimensions", description="comma separated: provider, model, … or tag:KEY")
INTERVAL = Parameter(
    "interval",
    "the length of a step",
    {"type": "string", "enum": list(TIME_DIMENSIONS), "default": "day"},
    one_of(TIME_DIMENSIONS),
)


class SeriesView(Struct):
    """One line over time: its dimensions' values, its currency (null where nothing has a price), its points."""

    dimensions: dict[str, str | None]
    currency: str | None
    points: list[dict[str, Any]]


class AnalyticsData(Struct):
    """Series of the metrics asked for; steps without usage are left out."""

    start_date: datetime
    end_date: datetime
    range: str | None
    timezone: str
    interval: str
    metrics: list[str]
    dimensions: list[str]
    series: list[SeriesView]


class AnalyticsAnswer(Struct):
    """The answer to an analytics question."""

    data: AnalyticsData


@routes.add(
    "GET",
    "/api/v1/analytics",
    summary="Metrics by dimensions over time",
    answer=AnalyticsAnswer,
    permission="analytics:read",
    parameters=(ORGANIZATION, METRIC_NAMES, DIMENSION_NAMES, INTERVAL, *SPAN, *FILTERS),
    tag_filters=True,
    scoped=True,
)
def analytics(call: Call) -> AnalyticsAnswer:
    """Series over time. The permission for analytics includes reading the costs they are made of."""
    given = call.given
    metrics = list(dict.fromkeys(given.get("metrics", ("cost", "requests"))))
    dimensions = list(dict.fromkeys(given.get("dimensions", ())))
    interval = given.get("interval", "day")
    if any(name in TIME_DIMENSIONS for name in dimensions):
        raise invalid("dimensions", "invalid_value", "dimensions must not hold units of time; use interval")
    zone = parse_zone(call.application.settings.defaults.timezone)
    asked = asked_range(given, now=call.application.clock(), zone=zone)
    question = CostQuery(
        asked.span,
        asked.zone,
        group_by=(interval, *dimensions),
        filters=filters_of(given, call.application.books.current().names),
    )
    principal = call.principal
    reader = replace(
        principal,
        permissions=principal.permissions | {"costs:read"},
        scope=principal.scope_of("analytics:read"),
        scopes=(),
    )
    report = costs.query(replace(call.ctx, principal=reader), given.get("organization_id"), question)
    return AnalyticsAnswer(
        AnalyticsData(
            start_date=asked.span.start,
            end_date=asked.span.end,
            range=asked.name,
            timezone=str(asked.zone),
            interval=interval,
            metrics=metrics,
            dimensions=dimensions,
            series=_series(report, dimensions, metrics, call.money),
        )
    )


def _series(report: CostReport, dimensions: list[str], metrics: list[str], money: MoneyWriter) -> list[SeriesView]:
    found: dict[tuple[Any, ...], SeriesView] = {}
    for row in report.rows:
        key = (*row.group[1:], row.currency)
        series = found.get(key)
        if series is None:
            values = dict(zip(dimensions, row.group[1:], strict=True))
            series = found[key] = SeriesView(values, row.currency or None, [])
        series.points.append({"time": row.group[0], **{name: _value(row, name, money) for name in metrics}})
    return list(found.values())


def _value(row: CostRow, metric: str, money: MoneyWriter) -> Any:
    if metric != "cost":
        return row.metric(metric)
    return money(row.cost_e10 if row.currency or not row.requests else None)
