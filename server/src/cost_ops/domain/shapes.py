"""Usage shapes: what each count in a provider's payload includes, as data.

A shape describes one provider API. Counts form a tree: a count's parts are included in it and are taken out of it, so
that what remains stands in one bucket only; counts that stand side by side are added. `shape_reading` makes shapes
from JSON, `shape_counting` reads a payload by one. See docs/reference/usage-shapes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cost_ops.domain.shape_paths import Path

ANY_PROVIDER = "*"
"""Stands in a shape's providers for those that no shape names."""


@dataclass(frozen=True, slots=True)
class Count:
    """One count of a payload. What its parts leave of it goes to `meter` (None: it is not billed by itself).

    Several `paths` are names of the same number; the first that is there is taken. `kinds` are parts that may overlap
    the others, as audio tokens do that were cached: `less` of a kind says how many of it stand in another part, and
    `overlap_at` where a payload tells so at all. `rest_note` says what is assumed of the remainder.
    """

    paths: tuple[Path, ...]
    meter: str | None
    parts: tuple[Count, ...] = ()
    kinds: tuple[Count, ...] = ()
    less: Path | None = None
    overlap_at: Path | None = None
    decimal: bool = False
    note: str = ""
    rest_note: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """An identity that a payload states about itself: `whole` = the sum of `parts`, or at least that (`at_least`).

    Not checked where `whole` is not stated, none of the parts is, or (`need_all`) one is not. `harmless`: a
    contradiction leaves the amounts as they are.
    """

    whole: Path
    parts: tuple[Path, ...]
    rule: str
    at_least: bool = False
    need_all: bool = False
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where a text stands, and what its values mean; one that `values` lacks is taken as it is with `others`."""

    path: Path
    values: Mapping[str, str | None] = field(default_factory=dict)
    others: bool = True


@dataclass(frozen=True, slots=True)
class Money:
    """Where the provider's own amount stands: `divisor` of its units make one of `currency`."""

    path: Path
    currency: str
    divisor: int = 1
    unless: Path | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A counter made by counting items of the response: those `where` each path has one of the values (None: no value).

    With `distinct`, items that share its value are one. Nothing is counted where there is a value at `unless`.
    """

    path: Path
    meter: str
    where: tuple[tuple[Path, frozenset[str | None]], ...] = ()
    distinct: Path | None = None
    unless: Path | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """A list of steps that are priced apart, each with the counts of the shape; `kind` and `model` are their fields.

    Where a step of kind `served` is there, those of kind `declined` that ran on another model are not billed. The
    counts named in `top_counts` are those of the steps of `top_kinds`, which a check holds them to.
    """

    path: Path
    kind: str
    model: str
    served: str = ""
    declined: str = ""
    top_count: Path | None = None
    top_kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where a response stands in what was sent, and the processing that this tells."""

    path: Path
    processing: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """How a list of events is read: where responses stand in them, and what says that the numbers are final.

    `complete` is met by an event in which each path has one of the values (an empty set: any value). No condition: a
    usage object is enough.
    """

    envelopes: tuple[Envelope, ...]
    complete: tuple[tuple[Path, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """One provider API's way to state usage. `providers` maps canonical names to a rank; lower is tried first.

    `whole_floats`: tokens may be written as 12.0; `number_texts`: as "12". `own_fields_only`: the usage object stands
    among content, of which nothing may be kept. `read_paths` and `outer_paths` are all that the shape reads, in the
    usage object and in the response around it.
    """

    id: str
    title: str
    source: str
    providers: Mapping[str, int]
    envelopes: tuple[Envelope, ...]
    usage_at: tuple[Path, ...]
    all_of: tuple[Path, ...]
    any_of: tuple[Path, ...]
    none_of: tuple[Path, ...]
    counts: tuple[Count, ...]
    checks: tuple[Check, ...] = ()
    items: tuple[Items, ...] = ()
    steps: Steps | None = None
    model_id: tuple[Lookup, ...] = ()
    response_id: tuple[Lookup, ...] = ()
    service_tier: tuple[Lookup, ...] = ()
    processing: tuple[Lookup, ...] = ()
    region: tuple[Lookup, ...] = ()
    money: tuple[Money, ...] = ()
    stream: Stream | None = None
    mentioned: tuple[tuple[Path, str], ...] = ()
    whole_floats: bool = False
    number_texts: bool = False
    own_fields_only: bool = False
    notes: tuple[str, ...] = ()
    read_paths: tuple[Path, ...] = ()
    outer_paths: tuple[Path, ...] = ()
