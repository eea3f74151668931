"""What several sources say of a price, and which of it is to be believed.

Two opinions agree where every rate that both state is equal within half a percent; rates that only one states prove
nothing. A price that two publishers agree on is *confirmed*. Where none do, the opinion of the highest rank is
published as *provisional*, and people are asked. Files of one publisher are one voice: a copy confirms nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from cost_ops.domain.conditions import Conditions
from cost_ops.domain.multipliers import Multiplier
from cost_ops.domain.prices import Confidence, Price
from cost_ops.domain.rates import Rate

TOLERANCE = Fraction(5, 1000)
"""The share of the larger of two prices by which they may differ and still be the same."""

Stated = Mapping[tuple[str, Conditions], Rate]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one source says of a model: `rank` 1 is heard first, `publisher` is whose voice it is."""

    price: Price
    publisher: str
    rank: int

    @property
    def url(self) -> str | None:
        """The page that the source read the price from, where it names one."""
        return (self.price.detail or {}).get("url")

    def to_json(self) -> dict[str, Any]:
        """The opinion as it is shown beside others."""
        return {
            "source": self.price.source,
            "publisher": self.publisher,
            "url": self.url,
            "model_id": self.price.model_id,
            "currency": self.price.currency,
            "rates": [rate.to_json() for rate in self.price.rates],
            "multipliers": [multiplier.to_json() for multiplier in self.price.multipliers],
        }


class Difference(NamedTuple):
    """A rate that two opinions state differently."""

    meter: str
    when: Conditions
    one: Rate
    other: Rate

    def to_json(self) -> dict[str, Any]:
        """Both rates in their HTTP form."""
        return {
            "meter": self.meter,
            "when": self.when.to_json(),
            "one": self.one.to_json(),
            "other": self.other.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from all opinions on a model: which is published, who agrees with it, who does not."""

    published: Opinion
    confidence: Confidence
    agreeing: tuple[Opinion, ...]
    dissenting: tuple[Opinion, ...]

    @property
    def is_single(self) -> bool:
        """Whether only one publisher has the model: nothing was compared."""
        return self.confidence is Confidence.PROVISIONAL and not self.dissenting


def judge(opinions: Sequence[Opinion]) -> Verdict:
    """The verdict on one model. The order of the opinions does not matter; there is at least one."""
    ordered = sorted(opinions, key=_precedence)
    for opinion in ordered:
        others = [other for other in ordered if other.publisher != opinion.publisher]
        agreeing = tuple(other for other in others if agree(opinion.price, other.price))
        if agreeing:
            dissenting = tuple(other for other in others if other not in agreeing)
            return Verdict(opinion, Confidence.CONFIRMED, agreeing, dissenting)
    first = ordered[0]
    dissenting = tuple(o for o in ordered if o.publisher != first.publisher)
    return Verdict(first, Confidence.PROVISIONAL, (), dissenting)


def _precedence(opinion: Opinion) -> tuple[int, str, str, str]:
    """By rank; among equals by content, so that the order in which they were given changes nothing."""
    return (opinion.rank, fingerprint(opinion.price), opinion.publisher, opinion.price.source)


def agree(one: Price, other: Price) -> bool:
    """Whether the two state at least one rate in common, and none differently."""
    if one.currency != other.currency:
        return False
    common = stated(one).keys() & stated(other).keys()
    return bool(common) and not differences(one, other)


def differences(one: Price, other: Price) -> tuple[Difference, ...]:
    """The rates that both state and that are further apart than the tolerance, in the order of the first."""
    mine, theirs = stated(one), stated(other)
    return tuple(
        Difference(meter, when, rate, theirs[meter, when])
        for (meter, when), rate in mine.items()
        if (meter, when) in theirs and not _close(one, rate, other, theirs[meter, when])
    )


def stated(price: Price) -> Stated:
    """The rates of a price by what they are for."""
    return {(rate.meter, rate.when): rate for rate in price.rates}


def _close(one: Price, rate: Rate, other: Price, their: Rate) -> bool:
    if (rate.included, rate.minimum_quantity) != (their.included, their.minimum_quantity):
        return False
    mine, theirs = unit_price(one, rate), unit_price(other, their)
    return abs(mine - theirs) <= TOLERANCE * max(mine, theirs)


def unit_price(price: Price, rate: Rate) -> Fraction:
    """What one unit costs by a rate of this price; a fraction of another rate is worked out."""
    if rate.of is None or rate.fraction is None:
        return Fraction(rate.price) / rate.per
    base = next(
        (r for r in price.rates if r.meter == rate.of and r.when == rate.when),
        next((r for r in price.rates if r.meter == rate.of and r.of is None), None),
    )
    return Fraction(rate.fraction) * (unit_price(price, base) if base is not None else 0)


def fingerprint(price: Price) -> str:
    """A short text that is the same for prices that say the same, however their rates are ordered and their units."""
    terms = [_meaning(price, rate) for rate in price.rates]
    terms += [json.dumps(multiplier.to_json(), sort_keys=True) for multiplier in _without_notes(price.multipliers)]
    text = "\n".join([price.currency, *sorted(terms)])
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _meaning(price: Price, rate: Rate) -> str:
    when = json.dumps(rate.when.to_json(), sort_keys=True)
    return f"{rate.meter} {when} {unit_price(price, rate)} {rate.included} {rate.minimum_quantity} {rate.of}"


def _without_notes(multipliers: Sequence[Multiplier]) -> list[Multiplier]:
    return [Multiplier(m.factor, m.meters, m.when) for m in multipliers]
