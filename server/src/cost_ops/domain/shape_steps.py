"""Steps: a response whose parts ran on several models, or beside what its totals say, and are priced one by one."""

from __future__ import annotations

from typing import Any, NamedTuple

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.meters import TOKEN_METERS
from cost_ops.domain.shape_counting import Counting, Discrepancy, Traced
from cost_ops.domain.shape_paths import find
from cost_ops.domain.shape_plans import Prefixes
from cost_ops.domain.shapes import Shape, Steps
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import Quantities, Step

MOST_STEPS = 1000


class Stepped(NamedTuple):
    """The priced steps of a response and their sum; `rows` where a trace was asked for."""

    steps: tuple[Step, ...]
    quantities: Quantities
    discrepancies: tuple[Discrepancy, ...]
    estimated: bool
    rows: tuple[Traced, ...]


def step_items(shape: Shape, usage: dict[str, Any]) -> list[Any] | None:
    """The list of steps in a usage object; None where it has none."""
    if shape.steps is None:
        return None
    items = find(usage, shape.steps.path.steps)
    return items if items.__class__ is list and items else None


def count_steps(shape: Shape, items: list[Any], whole: Counting, *, trace: bool = False) -> Stepped:
    """Count every billed step. `whole` has counted the response's totals: its counters go with the first step.

    Raises InvalidInput with the problems of all steps.
    """
    plan = shape.steps
    if plan is None:
        raise ValueError(f"{shape.id} has no steps")
    at = f"{whole.at().usage}{plan.path.text}"
    if len(items) > MOST_STEPS:
        raise InvalidInput([Problem(at, "too_large", f"{at} has {len(items)} items; at most {MOST_STEPS} are read")])
    served = {_model(item, plan) for item in items if _kind(item, plan) == plan.served}
    steps: list[Step] = []
    rows: list[Traced] = []
    problems: list[Problem] = []
    discrepancies = list(whole.discrepancies)
    estimated = whole.estimated
    totals = 0
    for n, item in enumerate(items):
        place = f"{at}[{n}]"
        if item.__class__ is not dict:
            problems.append(Problem(place, "invalid_type", f"{place} must be an object"))
            continue
        kind, model_id = _kind(item, plan), _model(item, plan)
        if model_id is not None and (fault := text_fault(model_id)):
            at_model = f"{place}.{plan.model}"
            problems.append(Problem(at_model, fault[0], f"{at_model} {fault[1]}"))
        counting = Counting(shape, whole.plan, item, {}, _stands(place))
        counting.rows = [] if trace else None
        try:
            counting.run(items=False)
        except InvalidInput as error:
            problems += error.problems
            continue
        estimated |= counting.estimated
        discrepancies += counting.discrepancies
        if kind == plan.declined and served and model_id not in served:
            if model_id is not None:
                rows += [Traced(row.path, 0, None, "not billed: this model declined") for row in counting.rows or ()]
                continue
            estimated = True
        totals += int(counting.stated(plan.top_count) or 0) if plan.top_count and kind in plan.top_kinds else 0
        steps.append(Step(model_id, counting.quantities, kind))
        rows += counting.rows or ()
    if problems:
        raise InvalidInput(problems)
    mismatch = _mismatch(plan, whole, totals)
    if mismatch is not None:
        discrepancies.append(mismatch)
    rows += _add_counters(steps, whole)
    sums = _sum(steps)
    return Stepped(
        tuple(steps), sums, tuple(dict.fromkeys(discrepancies)), estimated or mismatch is not None, tuple(rows)
    )


def _stands(place: str) -> Any:
    return lambda: Prefixes(f"{place}.", "")


def _kind(item: Any, plan: Steps) -> str:
    value = find(item, (plan.kind,))
    return value[:40] if isinstance(value, str) and value.isprintable() else ""


def _model(item: Any, plan: Steps) -> str | None:
    value = find(item, (plan.model,))
    return value[:256] if isinstance(value, str) and value else None


def _mismatch(plan: Steps, whole: Counting, totals: int) -> Discrepancy | None:
    stated = whole.stated(plan.top_count) if plan.top_count is not None else None
    if stated is None or plan.top_count is None or stated == totals:
        return None
    rule = f"{plan.top_count.text} = the sum of {plan.path.text}"
    message = f"the payload contradicts itself: {rule} does not hold, {stated} against {totals}"
    return Discrepancy(rule, int(stated), totals, message)


def _add_counters(steps: list[Step], whole: Counting) -> list[Traced]:
    """Searches and the like are counted once for the response: the first step on the response's own model has them."""
    counters = {meter: amount for meter, amount in whole.quantities.items() if meter not in TOKEN_METERS}
    if counters:
        own = next((n for n, step in enumerate(steps) if step.model_id is None), 0)
        if steps:
            steps[own] = steps[own]._replace(quantities={**steps[own].quantities, **counters})
        else:
            steps.append(Step(None, counters, "response"))
    return [row for row in whole.rows or () if row.meter in counters]


def _sum(steps: list[Step]) -> Quantities:
    sums: Quantities = {}
    for step in steps:
        for meter, amount in step.quantities.items():
            sums[meter] = sums.get(meter, 0) + amount
    return sums
