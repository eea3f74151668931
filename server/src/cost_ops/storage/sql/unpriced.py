"""Usage whose cost nobody knows yet: unpriced when it came, or by its latest correction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_

from cost_ops.domain.periods import from_us
from cost_ops.domain.rollups import month_start_us
from cost_ops.interfaces.storage import UnpricedModel
from cost_ops.storage.sql import names
from cost_ops.storage.sql.current import LATEST, UNPRICED, WITH_LATEST
from cost_ops.storage.sql.rollups import MONTHS_OF_ALL
from cost_ops.storage.tables import cost_records, cost_series, rollups, usage_records
from cost_ops.storage.transaction import Transaction

u, r, s = usage_records.c, rollups.c, cost_series.c


def ways_to_be_unpriced(organization_id: str) -> list[list[ColumnElement[bool]]]:
    """Two conditions that exclude each other, each with an index of its own."""
    corrected = select(cost_records.c.timestamp, cost_records.c.uid).where(
        cost_records.c.organization_id == organization_id, cost_records.c.cost_status == UNPRICED
    )
    return [
        [u.cost_status == UNPRICED, LATEST.c.version.is_(None)],
        [tuple_(u.timestamp, u.uid).in_(corrected), LATEST.c.cost_status == UNPRICED],
    ]


def models(tx: Transaction, organization_id: str, organization: int) -> list[UnpricedModel]:
    """What has no known cost, by provider and model: how much from rollups, since when from records."""
    cube_set = names.cube_set(tx, organization_id, organization, MONTHS_OF_ALL)
    if cube_set is None:
        return []
    sums = [func.sum(column) for column in (r.requests, r.input_tokens, r.output_tokens)]
    found = tx.rows(
        select(s.provider, s.model_id, *sums, func.min(r.bucket), func.max(r.bucket))
        .join_from(rollups, cost_series, s.id == r.series)
        .where(r.cube_set == cube_set, s.status == UNPRICED, r.requests > 0)
        .group_by(s.provider, s.model_id)
        .order_by(s.provider, s.model_id)
    )
    return [
        _model(tx, organization_id, *row[:2], sums=row[2:5], first_month=row[5], last_month=row[6]) for row in found
    ]


def _model(
    tx: Transaction, organization_id: str, provider: str, model_id: str, *, sums: Any, first_month: int, last_month: int
) -> UnpricedModel:
    mine = [u.organization_id == organization_id, u.provider == provider, u.model_id == model_id]
    since = [*mine, u.timestamp >= month_start_us(first_month)]
    until = [*mine, u.timestamp < month_start_us(last_month + 1)]
    first: list[int] = []
    last: list[int] = []
    for how in ways_to_be_unpriced(organization_id):
        instants = select(u.timestamp).select_from(WITH_LATEST)
        first += [row[0] for row in tx.rows(instants.where(*since, *how).order_by(u.timestamp).limit(1))]
        last += [row[0] for row in tx.rows(instants.where(*until, *how).order_by(u.timestamp.desc()).limit(1))]
    requests, input_tokens, output_tokens = map(int, sums)
    return UnpricedModel(
        provider,
        model_id,
        requests,
        input_tokens,
        output_tokens,
        from_us(min(first, default=month_start_us(first_month))),
        from_us(max(last, default=month_start_us(last_month))),
    )
