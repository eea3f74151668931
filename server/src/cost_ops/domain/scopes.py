"""What part of an organisation's usage someone may see or write: values of dimensions, allowed and refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cost_ops.domain.costs import Filter

Values = tuple[tuple[str, frozenset[str]], ...]
"""Dimension → values, sorted by dimension: hashable, as principals are."""


@dataclass(frozen=True, slots=True)
class Scope:
    """All of `only` and none of `never` must hold; dimensions are those of cost questions (`project`, `tag:KEY`).

    Usage without a value for a dimension of `only` lies outside; without one of `never` it lies inside.
    """

    only: Values = ()
    never: Values = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and not self.never

    @property
    def single_project(self) -> str | None:
        """The project, where usage can only be of one."""
        projects = dict(self.only).get("project", frozenset())
        return next(iter(projects)) if len(projects) == 1 else None

    def __str__(self) -> str:
        """The scope in words, for people."""
        if self.is_everything:
            return "everything"
        only = [f"{dimension} {', '.join(sorted(values)) or 'none'}" for dimension, values in self.only]
        never = [f"not {dimension} {', '.join(sorted(values))}" for dimension, values in self.never]
        return " and ".join([*only, *never])

    def covers(self, value_of: Callable[[str], str | None]) -> bool:
        """Whether a record lies inside; `value_of` tells its value of a dimension."""
        return self.outside_by(value_of) is None

    def outside_by(self, value_of: Callable[[str], str | None]) -> str | None:
        """The dimension by which a record lies outside; None where it lies inside."""
        for dimension, values in self.only:
            if value_of(dimension) not in values:
                return dimension
        for dimension, values in self.never:
            if value_of(dimension) in values:
                return dimension
        return None

    def filters(self) -> tuple[Filter, ...]:
        """The scope as filters of a question, to be added to its own."""
        only = [Filter(dimension, "in", tuple(sorted(values))) for dimension, values in self.only]
        never = [Filter(dimension, "not_in", tuple(sorted(values))) for dimension, values in self.never]
        return (*only, *never)

    def outside(self, filters: Sequence[Filter]) -> tuple[str, str] | None:
        """(dimension, value) that a question names and that lies outside; None where it names no such thing."""
        for asked in filters:
            if asked.operator not in ("eq", "in"):
                continue
            for value in asked.values:
                if any(value not in values for dimension, values in self.only if dimension == asked.dimension):
                    return asked.dimension, value
                if any(value in values for dimension, values in self.never if dimension == asked.dimension):
                    return asked.dimension, value
        return None

    def within(self, other: Scope) -> Scope:
        """What lies in both."""
        only = dict(self.only)
        for dimension, values in other.only:
            only[dimension] = only[dimension] & values if dimension in only else values
        never = dict(self.never)
        for dimension, values in other.never:
            never[dimension] = never.get(dimension, frozenset()) | values
        return Scope(tuple(sorted(only.items())), tuple(sorted(never.items())))

    def joined(self, other: Scope) -> Scope | None:
        """What lies in one of them; None where no scope says that: they name different dimensions."""
        if self.is_everything or other.is_everything:
            return EVERYTHING
        if self.never or other.never or len(self.only) != 1 or len(other.only) != 1:
            return self if self == other else None
        (dimension, values), (its, others) = self.only[0], other.only[0]
        return Scope(((dimension, values | others),)) if dimension == its else None

    def complement(self) -> Scope:
        """What lies outside of a scope of one dimension. Raises ValueError for one of several."""
        if self.never or len(self.only) != 1:
            raise ValueError("only what one dimension allows has a complement")
        return Scope(never=self.only)


EVERYTHING = Scope()
NOWHERE = Scope((("project", frozenset()),))
"""No usage at all."""


def of_projects(projects: Sequence[str]) -> Scope:
    """The usage of some projects; of none given: everything."""
    return Scope((("project", frozenset(projects)),)) if projects else EVERYTHING
