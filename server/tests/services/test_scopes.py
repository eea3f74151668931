"""Whoever is bound to a part of the usage sees, sums, explains, corrects and records that part, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cost_ops.domain.access import PERMISSIONS, Principal
from cost_ops.domain.costs import CostQuery, Filter
from cost_ops.domain.errors import Forbidden, NotFound
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.scopes import NOWHERE, Scope
from cost_ops.interfaces.context import Context
from cost_ops.services import corrections, costs, explain, exports, history, unpriced
from cost_ops.services.history import HistoryQuery
from tests.services.conftest import Desk

ALPHA = Scope((("project", frozenset({"alpha"})),))
NOT_ALPHA = Scope(never=(("project", frozenset({"alpha"})),))
PROD = Scope((("tag:env", frozenset({"prod"})),))
TWO = Scope((("project", frozenset({"alpha", "beta"})), ("tag:env", frozenset({"prod"}))))
LABELS: Sequence[tuple[str | None, str | None]] = [
    ("alpha", "prod"),
    ("alpha", None),
    ("beta", "prod"),
    ("beta", "dev"),
    (None, "prod"),
    (None, None),
]


def _bound(desk: Desk, scope: Scope) -> Context:
    return desk.context(Principal(desk.org, "k", frozenset(PERMISSIONS), scope=scope))


def _fill(desk: Desk) -> dict[str, tuple[str | None, str | None]]:
    """Six records, two without a price; usage id → labels."""
    desk.price("m")
    fields = [
        {"project_id": project, "tags": {"env": env} if env else None, "model_id": model, "input_tokens": 10 * n}
        for model in ("m", "unknown")
        for n, (project, env) in enumerate(LABELS, 1)
    ]
    sent = [desk.submission(**{k: v for k, v in one.items() if v is not None}, output_tokens=1) for one in fields]
    recorded = desk.record(*sent)
    return {one.usage_id: labels for one, labels in zip(recorded, [*LABELS, *LABELS], strict=True)}


def _inside(scope: Scope, labels: tuple[str | None, str | None]) -> bool:
    return scope.covers({"project": labels[0], "tag:env": labels[1]}.get)


SCOPES = [ALPHA, NOT_ALPHA, PROD, TWO, NOWHERE, replace(ALPHA, never=(("tag:env", frozenset({"prod"})),))]


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_every_way_of_reading_gives_the_same_part(desk: Desk, scope: Scope) -> None:
    labels = _fill(desk)
    ctx = _bound(desk, scope)
    expected = {usage_id for usage_id, of in labels.items() if _inside(scope, of)}
    page = history.page(ctx, desk.org, HistoryQuery(page_size=100))
    assert {record.usage_id for record in page.records} == expected
    assert {r.usage_id for r in history.stream(ctx, desk.org, start_us=None, end_us=None)} == expected
    assert {r.usage_id for r in exports.records(ctx, None, start_us=None, end_us=None)} == expected
    for usage_id in labels:
        assert (usage_id in expected) == _found(lambda wanted=usage_id: explain.explain(ctx, None, wanted))
        assert (usage_id in expected) == _found(lambda wanted=usage_id: corrections.revisions(ctx, None, wanted))
    whole = TimeRange(desk.now - timedelta(days=1), desk.now + timedelta(days=1))
    assert costs.count_requests(ctx, desk.org, CostQuery(whole)) == len(expected)
    for group_by in ((), ("project",), ("tag:env",), ("tag:other",), ("model", "day"), ("user",), ("tag:env", "hour")):
        question = CostQuery(whole, group_by=group_by)
        bound = costs.query(ctx, desk.org, question)
        truth = costs.query(desk.ctx, desk.org, replace(question, filters=scope.filters(), from_records=True))
        assert bound.rows == truth.rows
        assert bound.totals == truth.totals
        assert sum(total.requests for total in bound.totals) == len(expected)


def _found(look: Any) -> bool:
    try:
        look()
    except NotFound:
        return False
    return True


def test_a_question_that_names_what_lies_outside_is_refused(desk: Desk) -> None:
    _fill(desk)
    ctx = _bound(desk, ALPHA)
    beta = (Filter("project", "eq", ("beta",)),)
    with pytest.raises(Forbidden) as refused:
        history.page(ctx, desk.org, HistoryQuery(filters=beta))
    assert refused.value.details == {
        "required_permission": "usage:read",
        "reason": "project 'beta' is outside what this credential may see",
    }
    whole = TimeRange(desk.now - timedelta(days=1), desk.now + timedelta(days=1))
    with pytest.raises(Forbidden):
        costs.query(ctx, desk.org, CostQuery(whole, filters=beta))
    not_alpha = CostQuery(whole, filters=(Filter("project", "ne", ("alpha",)),))
    assert (
        costs.query(ctx, desk.org, not_alpha).totals == costs.query(_bound(desk, NOWHERE), desk.org, not_alpha).totals
    )


def test_what_cannot_be_narrowed_is_refused(desk: Desk) -> None:
    _fill(desk)
    assert unpriced.models(desk.ctx, desk.org)
    with pytest.raises(Forbidden) as refused:
        unpriced.models(_bound(desk, ALPHA), desk.org)
    assert "bound to project alpha" in refused.value.details["reason"]


def test_usage_is_recorded_inside_only(desk: Desk) -> None:
    desk.price("m")
    ctx = _bound(desk, ALPHA)
    (named,) = desk.record(desk.submission(project_id="alpha"), ctx=ctx)
    (unnamed,) = desk.record(desk.submission(), ctx=ctx)
    for recorded in (named, unnamed):
        assert explain.explain(desk.ctx, desk.org, recorded.usage_id).record.project_id == "alpha"
    with pytest.raises(Forbidden) as refused:
        desk.record(desk.submission(project_id="beta"), ctx=ctx)
    assert refused.value.details == {
        "required_permission": "usage:write",
        "reason": "project 'beta' is outside what this credential may write: it is bound to project alpha",
    }
    with pytest.raises(Forbidden, match="Insufficient permissions"):
        desk.record(desk.submission(), ctx=_bound(desk, TWO))
    assert desk.record(desk.submission(tags={"env": "prod"}, project_id="beta"), ctx=_bound(desk, TWO))


def test_a_replay_keeps_the_project_that_was_filled_in(desk: Desk) -> None:
    desk.price("m")
    ctx = _bound(desk, ALPHA)
    first, again = (desk.record(desk.submission(idempotency_key="once"), ctx=ctx)[0] for _ in range(2))
    assert (again.usage_id, again.replayed) == (first.usage_id, True)


def test_corrections_stay_inside(desk: Desk) -> None:
    labels = _fill(desk)
    ctx = _bound(desk, ALPHA)
    mine = next(usage_id for usage_id, of in labels.items() if of == ("alpha", None))
    other = next(usage_id for usage_id, of in labels.items() if of == ("beta", "dev"))
    with pytest.raises(NotFound):
        corrections.correct(ctx, None, other, {"project_id": "alpha"}, reason="mine now")
    with pytest.raises(Forbidden):
        corrections.correct(ctx, None, mine, {"project_id": "beta"}, reason="out of sight")
    assert corrections.correct(ctx, None, mine, {"user_id": "ana"}, reason="known by now").changed
    corrections.correct(desk.ctx, desk.org, other, {"project_id": "alpha"}, reason="moved")
    assert corrections.revisions(ctx, None, other) == []
    assert len(corrections.revisions(desk.ctx, desk.org, other)) == 1


def test_a_permission_can_reach_less_than_the_others(desk: Desk) -> None:
    labels = _fill(desk)
    principal = Principal(desk.org, "k", frozenset(PERMISSIONS), scopes=(("usage:read", ALPHA),))
    ctx = desk.context(principal)
    whole = TimeRange(desk.now - timedelta(days=1), desk.now + timedelta(days=1))
    assert len(list(history.stream(ctx, desk.org, start_us=None, end_us=None))) == 4
    assert sum(total.requests for total in costs.query(ctx, desk.org, CostQuery(whole)).totals) == len(labels)
