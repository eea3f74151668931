"""Sums of calls: how many, their tokens, what they cost; by provider, model and project. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple, Optional


class Place(NamedTuple):
    """What a sum is of."""

    provider: str
    model_id: str
    project_id: Optional[str] = None


@dataclass(frozen=True)
class Sum:
    """Calls and what they came to. Tokens are None where the ledger did not tell them for every call."""

    calls: int = 0
    input_tokens: Optional[int] = 0
    output_tokens: Optional[int] = 0
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """Amounts by currency; what has no known price is in none of them."""
    unpriced: int = 0
    """Calls without a known price."""

    def __add__(self, other: Sum) -> Sum:
        costs = {name: self.costs.get(name, Decimal(0)) + other.costs.get(name, Decimal(0)) for name in
                 dict.fromkeys([*self.costs, *other.costs])}  # fmt: skip
        return Sum(
            self.calls + other.calls,
            _plus(self.input_tokens, other.input_tokens),
            _plus(self.output_tokens, other.output_tokens),
            costs,
            self.unpriced + other.unpriced,
        )

    def __sub__(self, other: Sum) -> Sum:
        """What came since `other`, which is an earlier state of this."""
        costs = {name: cost - other.costs.get(name, Decimal(0)) for name, cost in self.costs.items()}
        return Sum(
            self.calls - other.calls,
            _plus(self.input_tokens, None if other.input_tokens is None else -other.input_tokens),
            _plus(self.output_tokens, None if other.output_tokens is None else -other.output_tokens),
            {name: cost for name, cost in costs.items() if cost or not other.costs.get(name)},
            self.unpriced - other.unpriced,
        )


@dataclass(frozen=True)
class Spent:
    """The sums at one moment. `rejected` records were refused by the ledger, `waiting` ones not answered for."""

    by_place: Mapping[Place, Sum] = field(default_factory=dict)
    rejected: int = 0
    waiting: int = 0

    @property
    def total(self) -> Sum:
        """Everything."""
        return sum(self.by_place.values(), Sum())

    @property
    def by_model(self) -> dict[tuple[str, str], Sum]:
        """By provider and model, the dearest first."""
        return self._grouped(lambda place: (place.provider, place.model_id))

    @property
    def by_project(self) -> dict[Optional[str], Sum]:
        """By project, the dearest first; None is what belongs to none."""
        return self._grouped(lambda place: place.project_id)

    def _grouped(self, key: Any) -> dict[Any, Sum]:
        found: dict[Any, Sum] = {}
        for place, one in self.by_place.items():
            found[key(place)] = found.get(key(place), Sum()) + one
        return dict(
            sorted(found.items(), key=lambda item: (-max(item[1].costs.values(), default=Decimal(0)), str(item[0])))
        )

    def __str__(self) -> str:
        from llm_cost_ops.summaries import text_table

        return text_table(self, "spent so far")

    def _repr_html_(self) -> str:
        from llm_cost_ops.summaries import html_table

        return html_table(self, "spent so far")

    def __sub__(self, earlier: Spent) -> Spent:
        """What came since an earlier moment."""
        since = {place: one - earlier.by_place.get(place, Sum()) for place, one in self.by_place.items()}
        changed = {place: one for place, one in since.items() if one.calls}
        return Spent(changed, self.rejected - earlier.rejected, self.waiting)

    def __add__(self, other: Spent) -> Spent:
        places = dict.fromkeys([*self.by_place, *other.by_place])
        both = {place: self.by_place.get(place, Sum()) + other.by_place.get(place, Sum()) for place in places}
        return Spent(both, self.rejected + other.rejected, self.waiting + other.waiting)


def _plus(one: Optional[int], other: Optional[int]) -> Optional[int]:
    return None if one is None or other is None else one + other
