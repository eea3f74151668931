"""The same calls in the words of each provider API, priced by us, genai-prices and LiteLLM, held to exact decimals.

Every contender has the same prices: those of the catalogue, which LiteLLM's table is filled with. So a difference is
one of counting. Each is put down to a kind: a way to misread the counts that gives exactly the amount that came out.
What no kind explains is said to be unexplained. docs/explanation/compared.md tells who is right, and why.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from benchmarks import extractors, families, misreadings
from benchmarks.extractors import GenaiPrices, LiteLLM, Ours, Reader
from benchmarks.families import FAMILIES, Family, FamilyCall
from benchmarks.misreadings import Rates
from benchmarks.report import Report, Row, at_most

CALLS = 10_000
_TOLERANCE = Decimal("1E-9")
"""A billionth of a dollar: what floats and rounding leave is forgiven. Ours is also held to the last digit."""


class Found(NamedTuple):
    """How many of a family's calls a contender priced exactly, otherwise, or not at all, and why."""

    equal: int
    differ: int
    cannot: int
    kinds: Mapping[str, int]
    examples: Mapping[str, str]


def run(options: argparse.Namespace) -> list[Report]:
    """Compare. Nothing is fetched: every table is the one that is installed."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    made = families.made_counts(500 if options.quick else CALLS)
    genai, litellm = GenaiPrices(), LiteLLM()
    rates = {
        (family.name, model.name): misreadings.rates(genai.model_price(family, model.name))
        for family in FAMILIES
        for model in family.models
    }
    other_prices = _fed(litellm, rates)
    with extractors.ledger(options.cache) as application:
        readers: list[Reader] = [Ours(application), genai, litellm]
        found = {family.name: _family(family, made, readers, rates) for family in FAMILIES}
    return [_report(found, [reader.name for reader in readers], len(made), other_prices)]


def _fed(litellm: LiteLLM, rates: Mapping[tuple[str, str], Rates]) -> list[str]:
    """Give LiteLLM the catalogue's prices; the models for which it had others."""
    rows: dict[str, dict[str, Any]] = {}
    other = []
    for family in FAMILIES:
        for model in family.models:
            row = misreadings.litellm_row(rates[family.name, model.name], family.litellm)
            rows[model.litellm] = row
            known = litellm.known(model.litellm)
            if known is None:
                other.append(f"{model.litellm} (not in its table)")
            elif different := [name for name in misreadings.PRICE_KEYS if name in known and known[name] != row[name]]:
                other.append(f"{model.litellm} ({', '.join(different)})")
    litellm.feed(rows)
    return sorted(set(other))


def _family(
    family: Family, made: Sequence[families.Counts], readers: Sequence[Reader], rates: Mapping[tuple[str, str], Rates]
) -> dict[str, Found]:
    print(f"compared: {family.name}", file=sys.stderr)
    calls = families.calls_of(family, made)
    return {reader.name: _held(reader, calls, rates) for reader in readers}


def _held(reader: Reader, calls: Sequence[FamilyCall], rates: Mapping[tuple[str, str], Rates]) -> Found:
    equal = cannot = 0
    kinds: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for call in calls:
        priced = rates[call.family.name, call.model.name]
        truth = misreadings.amount(priced, call.counts)
        try:
            amount = reader.dollars(reader.read(reader.prepare(call)))
        except Exception as error:  # noqa: BLE001 (whatever a contender raises is its answer)
            cannot += 1
            examples.setdefault("cannot", f"{type(error).__name__}: {str(error)[:160]}")
            continue
        if _is(amount, truth, exactly=isinstance(reader, Ours)):
            equal += 1
            continue
        readings = misreadings.readings(call.counts, priced, call.family.name)
        kind = next((name for name, other in readings if _is(amount, other)), "unexplained")
        kinds[kind] += 1
        examples.setdefault(kind, f"{call.counts._asdict()}: {amount} against {truth.normalize():f}")
    return Found(equal, kinds.total(), cannot, kinds, examples)


def _is(amount: Decimal, truth: Decimal, *, exactly: bool = False) -> bool:
    """Whether an amount is the true one; `exactly`: each part rounded to 1e-10 is at most half of that away."""
    return abs(amount - truth) <= (Decimal("3E-10") if exactly else _TOLERANCE)


def _report(
    found: Mapping[str, Mapping[str, Found]], names: Sequence[str], calls: int, other_prices: Sequence[str]
) -> Report:
    rows = []
    for family, by_name in found.items():
        rows += [_row(family, name, by_name[name]) for name in names]
    for name in names:
        wrong = sum(by_name[name].differ + by_name[name].cannot for by_name in found.values())
        rows.append(Row(f"all families, {name}: not equal", wrong, "", at_most(0) if name == Ours.name else None))
    remarks = [
        f"{calls:,} calls in the words of {len(found)} provider APIs; figures are calls priced otherwise than the "
        "exact amount from the known counts, with their kinds.",
        f"LiteLLM's own table had other prices for {'; '.join(other_prices) or 'no model'}.",
        *(
            f"{name}, {family}, {kind}: e.g. {example}"
            for family, by_name in found.items()
            for name in names
            for kind, example in by_name[name].examples.items()
        ),
    ]
    return Report("The same calls, priced from each provider's own responses", rows, remarks)


def _row(family: str, name: str, found: Found) -> Row:
    kinds = "; ".join(f"{kind}: {count:,}" for kind, count in sorted(found.kinds.items()))
    note = f"{found.equal:,} equal, {found.differ:,} differ, {found.cannot:,} cannot"
    return Row(f"{family}, {name}", found.differ + found.cannot, "", None, f"{note}. {kinds}" if kinds else note)
