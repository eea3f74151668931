"""What it takes to price one record: ours beside LiteLLM, genai-prices and tokencost, in one run, on one list of calls.

10,000 calls over 20 models, 44 % with cached tokens. Every contender is given the call in its own form, made before the
clock starts, and all of them take turns in every round, so that a busy moment hits each. Times are processor time.

Two price tables are in play, so exactness is judged twice. Our book is filled once with LiteLLM's own numbers, posted
as prices: then LiteLLM and we are held to the same exact decimals. And once with the product's catalogue as it ships,
tiers and dated rows included, which comes from genai-prices: then genai-prices and we are held to the same. tokencost
is held to its own table. "Wrong" is an amount that differs once rounded to 1e-10 dollars; "noise" one that is right
after rounding, but whose digits are not the exact ones.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from benchmarks import contenders, exact, ours
from benchmarks.exact import Call, Rates
from benchmarks.models import CACHED_SHARE, MODELS
from benchmarks.report import Report, Row, Target, at_least, at_most

CALLS = 10_000
ROUNDS = 5
_DAY_US = 86_400_000_000


class Contender(NamedTuple):
    """One way to price: `who` runs over `prepared`; `rates` is the table that it is held to."""

    name: str
    who: contenders.Pricer
    prepared: Sequence[Any]
    rates: Callable[[Call], Rates | None]
    target: Target | None = None


class Exactness(NamedTuple):
    """How many answers were wrong, noisy, or not given at all."""

    wrong: int
    noise: int
    unknown: int


def run(*, quick: bool = False) -> Report:
    """Measure. Nothing is fetched: every table is the one that is installed."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    calls = made_calls(1_000 if quick else CALLS)
    racers = _contenders(calls)
    times = _race(racers, rounds=3 if quick else ROUNDS)
    our_time = times[racers[0].name]
    rows = []
    for racer in racers:
        found = _exactness(racer, calls)
        note = f"{found.wrong:,} of {len(calls):,} wrong, {found.noise:,} with noise"
        if found.unknown:
            note += f", {found.unknown:,} calls of models it does not know"
        rows.append(Row(racer.name, times[racer.name], "µs", None, note))
        if racer.target is not None:
            rows.append(Row(f"… as a multiple of ours, {racer.name}", times[racer.name] / our_time, "×", racer.target))
    for racer in racers[:3]:
        found = _exactness(racer, calls)
        rows.append(Row(f"differing from exact decimals: {racer.name}", found.wrong + found.noise, "", at_most(0)))
    remark = (
        f"{len(calls):,} calls over {sum(map(len, MODELS.values()))} models, {CACHED_SHARE:.0%} with cached tokens."
    )
    return Report("Pricing one record, warm, in process", rows, [remark, contenders.versions()])


def made_calls(count: int, seed: int = 7) -> list[Call]:
    """Calls of the last day, in the same order each time."""
    chance = random.Random(seed)
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    models = [(provider, model) for provider, names in MODELS.items() for model in names]
    calls = []
    for _ in range(count):
        provider, model = chance.choice(models)
        prompt = int(chance.lognormvariate(7.5, 1.2)) % exact.MAX_CONTEXT + 1
        cached = int(prompt * chance.uniform(0.1, 0.9)) if chance.random() < CACHED_SHARE else 0
        output = int(chance.lognormvariate(5.5, 1.0)) % 16_000 + 1
        calls.append(Call(provider, model, now_us - chance.randrange(_DAY_US), prompt - cached, cached, output))
    return calls


def _contenders(calls: Sequence[Call]) -> list[Contender]:
    litellm, genai, tokencost = contenders.LiteLLM(), contenders.GenaiPrices(), contenders.Tokencost()
    catalogue = ours.Ours(ours.catalogue_book())
    lines = ours.OursWithLines(catalogue.book)
    posted = ours.Ours(ours.posted_book(calls, litellm.rates))
    genai_rates = genai.rates_of(calls)
    hundredfold, fiftyfold = at_least(100), at_least(50)
    return [
        Contender("ours, the shipped catalogue", catalogue, catalogue.prepare(calls), genai_rates),
        Contender("… with every cost line (`charge`)", lines, lines.prepare(calls), genai_rates),
        Contender("ours, LiteLLM's prices posted", posted, posted.prepare(calls), litellm.rates),
        Contender("litellm `cost_per_token`", litellm, litellm.plain(calls), litellm.rates, hundredfold),
        Contender("litellm, cache arguments", litellm, litellm.with_cache(calls), litellm.rates, hundredfold),
        Contender("genai-prices `calc_price`", genai, genai.prepare(calls), genai_rates, fiftyfold),
        Contender("tokencost", tokencost, tokencost.plain(calls), tokencost.rates),
        Contender("tokencost, cached apart", tokencost, tokencost.cached_apart(calls), tokencost.rates),
    ]


def _race(racers: Sequence[Contender], *, rounds: int) -> dict[str, float]:
    """Median microseconds a call of each; an untimed lap first, then everyone in every round, in turning order."""
    for racer in racers:
        _lap(racer)
    found: dict[str, list[float]] = {racer.name: [] for racer in racers}
    for number in range(rounds):
        print(f"pricing: round {number + 1} of {rounds}", file=sys.stderr)
        turn = number % len(racers)
        for racer in (*racers[turn:], *racers[:turn]):
            found[racer.name].append(_lap(racer))
    return {name: statistics.median(times) for name, times in found.items()}


def _lap(racer: Contender) -> float:
    start = time.process_time()
    racer.who.lap(racer.prepared)
    return (time.process_time() - start) / len(racer.prepared) * 1_000_000


def _exactness(racer: Contender, calls: Sequence[Call]) -> Exactness:
    wrong = noise = unknown = 0
    for call, item in zip(calls, racer.prepared, strict=True):
        rates = racer.rates(call)
        answer = None if rates is None else racer.who.dollars(racer.who.price(item))
        if rates is None or answer is None:
            unknown += 1
            continue
        truth = exact.amount(rates, call)
        if exact.rounded(answer) != exact.rounded(truth):
            wrong += 1
        elif answer not in (truth, exact.rounded(truth)):
            noise += 1
    return Exactness(wrong, noise, unknown)
