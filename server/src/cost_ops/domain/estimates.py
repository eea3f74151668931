"""What usage without a price may cost: a band between the cheapest and the dearest comparable model, never a cost.

Comparable are the models of the same family at the same provider, such as all `gpt` models of OpenAI; where it has
none, all models of the provider; where the provider is unknown, the family at all providers, else all models. A band is
for people who decide what to do first. It is in no total.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction

from cost_ops.domain.money import e10_from_fraction
from cost_ops.domain.prices import WILDCARD, Price

SIMILAR = 3
"""Names that are suggested at most."""

_ALIKE = 0.6
_LETTERS = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Band:
    """The lowest and the highest plausible cost; `basis` says which models it is taken from, and `models` how many."""

    lowest_e10: int
    highest_e10: int
    currency: str
    basis: str
    models: int


def family(model_id: str) -> str:
    """The letters that a model's name begins with, vendor prefixes left out.

    >>> family("openai/GPT-5.9-mini"), family("claude-opus-7"), family("o3")
    ('gpt', 'claude', 'o')
    """
    found = _LETTERS.match(model_id.rsplit("/", 1)[-1].lower())
    return found.group() if found else ""


def band(
    prices: Iterable[Price], *, provider: str, model_id: str, input_tokens: int, output_tokens: int
) -> Band | None:
    """The band for so many tokens, from prices that hold now; None where no price is comparable.

    Free models say nothing about what others cost, and amounts in another currency than US dollars are left out.
    """
    usable = [p for p in prices if p.currency == "USD" and WILDCARD not in p.model_id]
    mine = [p for p in usable if p.provider == provider]
    name = family(model_id)
    candidates = (
        (f"the {name} models of {provider}", _kin(mine, name)),
        (f"all models of {provider}", mine),
        (f"the {name} models of all providers", _kin(usable, name)),
        ("all models of all providers", usable),
    )
    for basis, some in candidates:
        costs = [cost for price in some if (cost := _cost(price, input_tokens, output_tokens))]
        if costs:
            lowest, highest = e10_from_fraction(min(costs)), e10_from_fraction(max(costs))
            return Band(lowest, highest, "USD", basis, len(costs))
    return None


def _kin(prices: Sequence[Price], name: str) -> list[Price]:
    return [price for price in prices if name and family(price.model_id) == name]


def _cost(price: Price, input_tokens: int, output_tokens: int) -> Fraction | None:
    """What the tokens cost by the plain rates of a price; None where it lacks one that is needed, or is free."""
    total = Fraction(0)
    for meter, tokens in (("input", input_tokens), ("output", output_tokens)):
        rate = price.plain_rate(meter)
        if rate is None and tokens:
            return None
        if rate is not None:
            total += Fraction(rate.price) / rate.per * tokens
    return total or None


def similar_names(prices: Iterable[Price], *, provider: str, model_id: str) -> Sequence[str]:
    """Names like this one that have a price, the likeliest first; `provider/name` where the provider is unknown."""
    names: dict[str, str] = {}
    everyone: dict[str, str] = {}
    for price in prices:
        everyone.setdefault(price.model_id.lower(), f"{price.provider}/{price.model_id}")
        if price.provider == provider:
            names.setdefault(price.model_id.lower(), price.model_id)
    known = names or everyone
    return [known[name] for name in get_close_matches(model_id.lower(), known, n=SIMILAR, cutoff=_ALIKE)]
