"""Extraction: any provider's usage payload → disjoint buckets, with what else the response says about its price.

The knowledge is in usage shapes (data); this module chooses the shape and puts the answer together. What was read is
kept as `Extracted.usage`: the response in its own layout with everything else taken away, so that `extract` gives the
same again from it (as a whole response), and `trace` shows the way from each number to its meter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cost_ops.domain.errors import CostOpsError, InvalidInput, NotFound, Problem, invalid
from cost_ops.domain.shape_counting import Counting, Discrepancy, Traced
from cost_ops.domain.shape_evidence import INCOMPLETE, evidence
from cost_ops.domain.shape_facts import reported, text_at
from cost_ops.domain.shape_plans import Plan, plan_of
from cost_ops.domain.shape_responses import Located, fields_of, fold, locate, usage_alone, wrapped
from cost_ops.domain.shape_steps import Stepped, count_steps, step_items
from cost_ops.domain.shapes import ANY_PROVIDER, Shape
from cost_ops.domain.usage import Quantities, Step

__all__ = ["Discrepancy", "Extracted", "ShapeBook", "Step", "Traced"]

MOST_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a payload says. `quantities` is the sum over all steps: disjoint, only what is not zero.

    `usage` is the evidence: JSON of at most 8 KB (more only for very many steps), without content. `steps` is empty
    where there was one.
    """

    shape: str
    quantities: Quantities
    model_id: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    region: str | None = None
    reported_cost: Decimal | None = None
    reported_currency: str | None = None
    estimated: bool = False
    discrepancies: tuple[Discrepancy, ...] = ()
    steps: tuple[Step, ...] = ()
    usage: Mapping[str, Any] = field(default_factory=dict)


class ShapeBook:
    """The shapes of an installation, and which of them a provider's payload may have."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self.shapes: Mapping[str, Shape] = {shape.id: shape for shape in shapes}
        self._plans = {shape.id: plan_of(shape) for shape in self.shapes.values()}
        names = {name for shape in self.shapes.values() for name in shape.providers}
        self._by_provider = {name: self._candidates(name) for name in names}
        self._any = self._by_provider.get(ANY_PROVIDER, ())

    def _candidates(self, provider: str) -> tuple[Shape, ...]:
        """A provider's own shapes by rank, then those that any provider may have."""
        ranked: list[Shape] = []
        for name in dict.fromkeys((provider, ANY_PROVIDER)):
            named = [shape for shape in self.shapes.values() if name in shape.providers and shape not in ranked]
            ranked += sorted(named, key=lambda shape: (shape.providers[name], shape.id))
        return tuple(ranked)

    def extract(self, provider: str, payload: Any, *, whole_response: bool) -> Extracted:
        """What a usage object, a whole response or a list of stream events says.

        `provider` is a canonical name. Raises InvalidInput with every problem, by path: an unknown form of payload, no
        usage in it, impossible numbers. What a payload only contradicts is taken, and told in `discrepancies`.
        """
        candidates = self._by_provider.get(provider, self._any)
        name = "response" if whole_response else "usage"
        if payload.__class__ is not dict:
            payload = _checked(name, payload)
        for shape in candidates:
            if not whole_response:
                located = usage_alone(shape, payload)
            elif payload.__class__ is list:
                folded = fold(shape, payload)
                located = locate(shape, folded) if folded is not None else None
            else:
                located = locate(shape, payload)
            if located is not None:
                return _extracted(shape, self._plans[shape.id], located)
        raise _unrecognised(provider, name, candidates, payload)

    def trace(self, shape_id: str, usage: Mapping[str, Any]) -> list[Traced]:
        """The way from each number of `Extracted.usage` to its meter; the meters add up to `Extracted.quantities`.

        Raises NotFound for a shape that is not in the book, InvalidInput where `usage` is not of it.
        """
        shape = self.shapes.get(shape_id)
        if shape is None:
            raise NotFound(f"no usage shape {shape_id!r}")
        located = locate(shape, dict(usage))
        if located is None:
            raise invalid("usage", "unknown_shape", f"usage does not have the shape {shape_id}")
        counting = Counting(shape, self._plans[shape_id], located.usage, located.response, located.stands)
        counting.rows = []
        counting.run()
        rows = counting.rows
        items = step_items(shape, located.usage)
        if items is not None:
            rows = list(count_steps(shape, items, counting, trace=True).rows)
        for path, note in shape.mentioned:
            amount = counting.stated(path)
            if amount is not None:
                rows.append(Traced(counting.named(path), amount, None, note))
        return rows


def _checked(name: str, payload: Any) -> Any:
    if isinstance(payload, Mapping):
        return dict(payload)
    if name == "response" and isinstance(payload, list):
        if len(payload) > MOST_EVENTS:
            raise invalid(name, "too_large", f"{name} has {len(payload)} events; at most {MOST_EVENTS} are read")
        return payload
    form = "an object, or a list of stream events" if name == "response" else "an object"
    raise invalid(name, "invalid_type", f"{name} must be {form}")


def _extracted(shape: Shape, plan: Plan, located: Located) -> Extracted:
    counting = Counting(shape, plan, located.usage, located.response, located.sent)
    stepped: Stepped | None = None
    problems = counting.problems
    try:
        counting.run()
        items = step_items(shape, located.usage)
        if items is not None:
            stepped = count_steps(shape, items, counting)
    except InvalidInput as error:
        problems = list(error.problems)
    cost, currency = reported(shape, located, problems) if shape.money else (None, None)
    processing = text_at(shape.processing, located, problems, lower=True) if shape.processing else None
    model_id = text_at(shape.model_id, located, problems)
    response_id = text_at(shape.response_id, located, problems)
    tier = text_at(shape.service_tier, located, problems, lower=True) if shape.service_tier else None
    region = text_at(shape.region, located, problems, lower=True) if shape.region else None
    if problems:
        raise InvalidInput(problems)
    return Extracted(
        shape.id,
        counting.quantities if stepped is None else stepped.quantities,
        model_id,
        response_id,
        tier,
        processing or located.envelope.processing,
        region,
        cost,
        currency,
        (counting.estimated if stepped is None else stepped.estimated) or located.response.get(INCOMPLETE) is True,
        tuple(counting.discrepancies) if stepped is None else stepped.discrepancies,
        () if stepped is None else stepped.steps,
        wrapped(located, evidence(shape, located.usage, located.usage_at, located.response, counting.counted)),
    )


def _unrecognised(provider: str, name: str, candidates: tuple[Shape, ...], payload: Any) -> CostOpsError:
    if isinstance(payload, list):
        return invalid(
            name,
            "no_usage",
            f"none of the {len(payload)} events has usage that is known for {provider[:40]}; "
            "an OpenAI stream states it only with stream_options.include_usage",
        )
    tried = ", ".join(shape.id for shape in candidates)
    found = ", ".join(fields_of(payload)) or "no fields"
    hint = ""
    if name == "usage" and any(locate(shape, payload) for shape in candidates):
        hint = "; a whole response goes into `response`"
    elif name == "response" and any(usage_alone(shape, payload) for shape in candidates):
        hint = "; a usage object alone goes into `usage`"
    message = f"{name} has no known form for {provider[:40]}{hint}. Tried: {tried}. Found: {found}"
    return InvalidInput([Problem(name, "unknown_shape", message)])
