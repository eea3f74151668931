"""Records as costing them again needs them: few columns, plain values, a page at a time.

Two statements a page, each a walk along an index: the records, and the corrections of the stretch of time that they
cover. A join would leave it to the planner, which reads all corrections for one page as soon as there are many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    cast,
    extract,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)

from cost_ops.domain.costing import steps_of
from cost_ops.domain.repricing import CostedUsage
from cost_ops.domain.usage import Quantities, Step
from cost_ops.interfaces.storage import Position
from cost_ops.storage.rows import ESTIMATED, STATUS_NAME
from cost_ops.storage.tables import cost_records, usage_records
from cost_ops.storage.transaction import Transaction

u, c = usage_records.c, cost_records.c
Places = dict[tuple[int, int], int]
"""(timestamp_us, uid) → version of the current cost; 0 is the first."""


class _Latest(NamedTuple):
    version: int
    cost_e10: int | None
    price_number: int | None
    status_code: int
    currency: str | None
    detail: str | None


def page(
    tx: Transaction,
    organization_id: str,
    wanted: Sequence[ColumnElement[bool]],
    *,
    after: Position | None,
    limit: int,
) -> tuple[list[CostedUsage], Places]:
    """Records for which `wanted` holds, oldest first, those beyond `after`, and the versions of their costs."""
    conditions = [u.organization_id == organization_id, *wanted]
    if after is not None:
        later = or_(u.timestamp > after.timestamp_us, and_(u.timestamp == after.timestamp_us, u.uid > after.uid))
        conditions += [u.timestamp >= after.timestamp_us, later]
    rows = tx.rows(select(*_columns(tx)).where(*conditions).order_by(u.timestamp, u.uid).limit(limit))
    if not rows:
        return [], {}
    latest = _latest(tx, organization_id, rows[0][0], rows[-1][0])
    found: list[CostedUsage] = []
    places: Places = {}
    for row in rows:
        place = (row[0], row[1])
        correction = latest.get(place) if latest else None
        found.append(_costed(organization_id, row, correction))
        places[place] = 0 if correction is None else correction.version
    return found, places


def _columns(tx: Transaction) -> list[Any]:
    return [
        _microseconds(tx, u.timestamp),
        u.uid,
        u.input_tokens,
        u.output_tokens,
        u.cached_tokens,
        u.cache_write_tokens,
        u.reasoning_tokens,
        cast(u.meters, Text),
        u.provider,
        u.model_id,
        u.service_tier,
        u.processing,
        u.region,
        u.cost_status,
        u.currency,
        u.cost_e10,
        u.price_id,
        u.flags,
        u.project_id,
        u.user_id,
        cast(u.tags, Text),
        u.team_id,
        u.api_key_id,
        _part(tx, "steps"),
        _part(tx, "step_prices"),
    ]


def _microseconds(tx: Transaction, column: Any) -> Any:
    """An instant as a plain number, without a datetime in between."""
    if tx.postgres:
        return cast(extract("epoch", column) * 1_000_000, BigInteger)
    return type_coerce(column, BigInteger)


def _part(tx: Transaction, name: str) -> Any:
    """A member of the evidence, as JSON text; the rest of it is not read."""
    if tx.postgres:
        return u.evidence.op("->", return_type=Text())(name).op("::", return_type=Text())(literal_column("text"))
    return func.json_extract(u.evidence, f"$.{name}", type_=Text())


def _latest(tx: Transaction, organization_id: str, first_us: int, last_us: int) -> dict[tuple[int, int], _Latest]:
    """The latest correction of each record in a stretch of time."""
    rows = tx.rows(
        select(
            _microseconds(tx, c.timestamp),
            c.uid,
            c.version,
            c.cost_e10,
            c.price_id,
            c.cost_status,
            c.currency,
            cast(c.detail, Text),
        )
        .where(c.organization_id == organization_id, c.timestamp >= first_us, c.timestamp <= last_us)
        .order_by(c.timestamp, c.uid, c.version)
    )
    return {(row[0], row[1]): _Latest(*row[2:]) for row in rows}


def _costed(organization_id: str, row: Any, latest: _Latest | None) -> CostedUsage:
    (
        timestamp_us,
        uid,
        whole_input,
        whole_output,
        cached,
        written,
        reasoning,
        meters,
        provider,
        model_id,
        tier,
        processing,
        region,
        code,
        currency,
        cost_e10,
        price_number,
        flags,
        project_id,
        user_id,
        tags,
        team_id,
        api_key_id,
        steps,
        step_prices,
    ) = row
    if latest is not None:
        _, cost_e10, price_number, code, currency, detail = latest
        step_prices = _detail_of(detail) if detail else None
    return CostedUsage(
        organization_id,
        provider,
        model_id,
        _metered(meters) if meters else _plain(whole_input, whole_output, cached, written, reasoning),
        timestamp_us,
        tier,
        processing,
        region,
        uid,
        STATUS_NAME[code],
        currency,
        cost_e10,
        price_number,
        tuple(json.loads(step_prices)) if step_prices else (),
        _steps(steps) if steps else (),
        bool(flags and flags & ESTIMATED),
        project_id,
        user_id,
        _tags(tags) if tags else None,
        team_id,
        api_key_id,
    )


def _plain(
    whole_input: int, whole_output: int, cached: int | None, written: int | None, reasoning: int | None
) -> Quantities:
    """The five plain quantities; those that are nothing are left out."""
    quantities: Quantities = {}
    if fresh := whole_input - (cached or 0) - (written or 0):
        quantities["input"] = fresh
    if cached:
        quantities["input_cache_read"] = cached
    if written:
        quantities["input_cache_write_5m"] = written
    if answered := whole_output - (reasoning or 0):
        quantities["output"] = answered
    if reasoning:
        quantities["output_reasoning"] = reasoning
    return quantities


def _metered(meters: str) -> Quantities:
    return {meter: Decimal(q) if isinstance(q, str) else q for meter, q in json.loads(meters).items()}


def _steps(steps: str) -> list[Step]:
    return steps_of({"steps": json.loads(steps)})


def _detail_of(detail: str) -> str | None:
    numbers = json.loads(detail).get("step_prices")
    return json.dumps(numbers) if numbers else None


@lru_cache(maxsize=16_384)
def _tags(tags: str) -> Mapping[str, str]:
    """Tags; the same few sets come again and again."""
    found: Mapping[str, str] = json.loads(tags)
    return found
