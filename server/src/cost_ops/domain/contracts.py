"""Contracts: what an organisation agreed on top of published prices, as discounts and margins with a validity.

Of the discounts that fit a call the most specific one holds for a meter, and so of the margins; a discount and a margin
multiply. A discount is off shared prices (the catalogue's, the installation's): an organisation's own price is what was
negotiated already. A margin is on whatever price holds. A discount may have volume tiers in place of one percentage; a
price book takes it as ordinary discounts, one a month (see `domain.volume_contracts`).

The outcome is a price of its own, made of the price found (its base) and factors, so that a cost points at it, explains
itself and can be worked out again; the base keeps saying what the usage costs by the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from cost_ops.domain.errors import Conflict, InvalidInput, Problem
from cost_ops.domain.meters import RATE_METERS
from cost_ops.domain.money import format_decimal, parse_decimal
from cost_ops.domain.multipliers import Multiplier, parse_meters
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.prices import WILDCARD, Layer, Price
from cost_ops.domain.text import MAX_TEXT
from cost_ops.domain.volumes import UNSETTLED, ContractMonth, Tier, tiers_from_json

MAX_MARGIN_PERCENT = 1000
MAX_DECIMALS = 10
_BEGINNING, _END = -(2**62), 2**62


class Kind(StrEnum):
    """What a contract does to a price."""

    DISCOUNT = "discount"
    MARGIN = "margin"


@dataclass(frozen=True, slots=True)
class Contract:
    """`percent` off (discount) or on top (margin) of what `meters` cost, valid in `[from, to)`, aware UTC.

    `provider` is canonical, or `*`; `model_id` an exact id or a pattern with `*`. `number` is None until stored.
    """

    organization_id: str
    kind: Kind
    percent: Decimal
    provider: str = WILDCARD
    model_id: str = WILDCARD
    meters: frozenset[str] = RATE_METERS
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    note: str = ""
    number: int | None = None
    created_at: datetime | None = None
    tiers: tuple[Tier, ...] = ()
    """Discounts by the month's volume, in place of `percent`."""
    months: tuple[ContractMonth, ...] = ()
    """The months whose volume was looked at."""
    volume: str = ""
    """What volume the percentage is for, where it comes from a tier."""
    unsettled: bool = False
    """Whether that volume may still change."""

    @property
    def contract_id(self) -> str:
        """The public id."""
        return f"contract-{self.number}"

    @property
    def factor(self) -> Decimal:
        """What prices are multiplied with; exact, as `percent` has few decimals."""
        part = self.percent.scaleb(-2)
        return 1 - part if self.kind is Kind.DISCOUNT else 1 + part

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        side = "off" if self.kind is Kind.DISCOUNT else "on top"
        of = f", {self.volume}" if self.volume else ""
        return f"{self.contract_id}{of}: {format_decimal(self.percent)} % {side}"

    def fits(self, provider: str, *models: str) -> bool:
        """Whether usage of a provider and model (by any of its names) is meant."""
        if self.provider not in (WILDCARD, provider):
            return False
        pattern = ".*".join(re.escape(part) for part in self.model_id.split(WILDCARD))
        return any(re.fullmatch(pattern, model, re.DOTALL) for model in models)

    def valid_at(self, instant: datetime) -> bool:
        """Whether `[from, to)` holds the instant."""
        begun = self.effective_from is None or self.effective_from <= instant
        return begun and (self.effective_to is None or instant < self.effective_to)

    def holds_in(self, start_us: int, end_us: int) -> bool:
        """Whether it is valid somewhere in a stretch of time, in microseconds since 1970."""
        start, end = self.bounds()
        return max(start, start_us) < min(end, end_us)

    def bounds(self) -> tuple[int, int]:
        """From and to in microseconds since 1970; far away where it is open."""
        start = _BEGINNING if self.effective_from is None else to_us(self.effective_from)
        return start, (_END if self.effective_to is None else to_us(self.effective_to))

    def rank(self) -> tuple[bool, int, bool, int, int]:
        """How specific it is: an exact model, the longer pattern, a named provider, fewer meters; then the newer."""
        exact = WILDCARD not in self.model_id
        return exact, len(self.model_id), self.provider != WILDCARD, -len(self.meters), self.number or 0


def parse_contract_id(text: str) -> int | None:
    """The number in a public contract id such as `contract-7`; None where it is not one."""
    head, _, number = text.partition("-")
    return int(number) if head == "contract" and number.isascii() and number.isdigit() and len(number) < 10 else None


class Terms(NamedTuple):
    """What a contract does, as it was asked for."""

    kind: Kind
    percent: Decimal
    meters: frozenset[str]
    tiers: tuple[Tier, ...] = ()


def contract_terms(fields: Mapping[str, Any]) -> Terms:
    """`kind`, `percent` or `volume`, `meters` (all where nothing is said). Raises InvalidInput with every problem."""
    problems: list[Problem] = []
    kind, percent = fields.get("kind"), Decimal(0)
    tiers: tuple[Tier, ...] = ()
    if fields.get("volume") is not None:
        kind, tiers = _volume_terms(fields, problems)
        percent = tiers[0].percent if tiers else percent
    else:
        if kind not in tuple(Kind):
            problems.append(Problem("kind", "invalid_value", f"kind must be one of {', '.join(Kind)}"))
        try:
            percent = parse_decimal(fields.get("percent"))  # type: ignore[arg-type]
        except ValueError as error:
            problems.append(Problem("percent", "invalid_type", f"percent must be a decimal number: {error}"))
    meters = RATE_METERS
    if fields.get("meters") is not None:
        meters = parse_meters(fields["meters"], "meters", problems)
    if problems:
        raise InvalidInput(problems)
    return Terms(Kind(str(kind)), percent, meters, tiers)


def _volume_terms(fields: Mapping[str, Any], problems: list[Problem]) -> tuple[str, tuple[Tier, ...]]:
    """The terms of a discount by volume, which says everything itself."""
    if fields.get("percent") is not None:
        problems.append(Problem("percent", "ambiguous", "give either percent or volume: the tiers have the discounts"))
    if fields.get("kind", Kind.DISCOUNT) not in (None, Kind.DISCOUNT):
        problems.append(Problem("kind", "invalid_value", f"kind must be {Kind.DISCOUNT} where volume is given"))
    return Kind.DISCOUNT, tiers_from_json(fields["volume"], problems)


def contract_faults(contract: Contract) -> Iterator[Problem]:
    """What is wrong with a contract by itself."""
    most = 100 if contract.kind is Kind.DISCOUNT else MAX_MARGIN_PERCENT
    if not contract.tiers and not 0 < contract.percent <= most:
        yield Problem("percent", "out_of_range", f"percent of a {contract.kind} must be more than 0 and at most {most}")
    exponent = contract.percent.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DECIMALS:
        yield Problem("percent", "too_many_digits", f"percent must have at most {MAX_DECIMALS} decimals")
    start, end = contract.effective_from, contract.effective_to
    if start is not None and end is not None and end <= start:
        yield Problem("end_date", "empty_range", "end_date must be after effective_date")


def check_tie(new: Contract, others: Sequence[Contract]) -> None:
    """Raise Conflict where another contract is as specific for the same usage at the same time: nothing settles it."""
    start, end = new.bounds()
    for other in others:
        same = (other.kind, other.provider, other.model_id) == (new.kind, new.provider, new.model_id)
        tied = len(other.meters) == len(new.meters) and other.meters & new.meters
        if same and tied and other.holds_in(start, end):
            raise Conflict(
                f"{other.contract_id} is a {other.kind} for the same models, meters and time; end it first, or choose "
                "other dates",
                conflicting_contract_id=other.contract_id,
            )


def stretches(contracts: Sequence[Contract], start_us: int, end_us: int) -> Iterator[tuple[int, int, list[Contract]]]:
    """A stretch of time cut where a contract begins or ends: (start, end, the contracts that hold all through it)."""
    bounded = [(*contract.bounds(), contract) for contract in contracts]
    cuts = {bound for first, last, _ in bounded for bound in (first, last) if start_us < bound < end_us}
    edges = [start_us, *sorted(cuts), end_us]
    for start, end in pairwise(edges):
        yield start, end, [contract for first, last, contract in bounded if first <= start and end <= last]


def factors_of(contracts: Sequence[Contract], layer: Layer) -> list[tuple[Contract, Multiplier]]:
    """The contracts that count on a price of this layer, each with its factor on the meters that it decides."""
    found = []
    for kind in Kind:
        if kind is Kind.DISCOUNT and layer not in (Layer.CATALOG, Layer.INSTALLATION):
            continue
        decided: frozenset[str] = frozenset()
        for contract in sorted((c for c in contracts if c.kind is kind), key=Contract.rank, reverse=True):
            meters = contract.meters - decided
            if meters:
                note = f"{contract.title} ({contract.note})" if contract.note else contract.title
                found.append((contract, Multiplier(contract.factor, meters, note=note[:MAX_TEXT])))
            decided |= contract.meters
    return found


def price_under(base: Price, contracts: Sequence[Contract], *, start_us: int) -> Price | None:
    """The price that a base becomes where these contracts hold, not stored yet; None where none of them counts."""
    found = factors_of(contracts, base.layer)
    if not found:
        return None
    first, last = found[0][0], found[-1][0]
    titles = ", ".join(contract.title for contract, _ in found) + (" of" if last.kind is Kind.MARGIN else "")
    return replace(
        base,
        layer=Layer.CONTRACT,
        organization_id=first.organization_id,
        multipliers=(*base.multipliers, *(multiplier for _, multiplier in found)),
        source=f"{titles} {base.price_id}",
        number=None,
        base_number=base.number,
        effective_from=from_us(start_us) if start_us > _BEGINNING else None,
        effective_to=None,
        created_at=None,
        detail={**(base.detail or {}), UNSETTLED: True} if any(c.unsettled for c, _ in found) else base.detail,
    )
