"""From the bytes of a provider's response to a priced record: what it takes us, genai-prices and LiteLLM, in one run.

The server's own way (`read_record` with the response in the record, then `usage.price`) is timed as a whole, and its
steps apart: parsing the response, extracting its counts, pricing them. Beside it stand genai-prices' `extract_usage`
and `calc_price`, and LiteLLM's `transform_response` and `completion_cost`, from the same bytes. Everyone takes turns
in every round; times are processor time of one core, the first lap is not counted.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from benchmarks import extractors, families
from benchmarks.extractors import GenaiPrices, LiteLLM, Ours, Reader
from benchmarks.families import FAMILIES, Family
from benchmarks.report import Report, Row, at_least

from cost_ops.api.server import COLLECT_AFTER
from cost_ops.services import usage

CALLS = 1_000
ROUNDS = 7
WANTED = 30_000

Lap = Callable[[], None]
_parse = msgspec.json.Decoder(float_hook=Decimal).decode


class Times(NamedTuple):
    """Median microseconds a response of one family, by step and by contender."""

    family: str
    bytes: int
    steps: Mapping[str, float]

    @property
    def core(self) -> float:
        """Parsing, extraction and pricing, without what makes a record of them."""
        return sum(self.steps[name] for name in ("parse", "extract", "price"))


def run(options: argparse.Namespace) -> list[Report]:
    """Measure. Nothing is fetched."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    calls, rounds = (200, 3) if options.quick else (CALLS, ROUNDS)
    with extractors.ledger(options.cache) as application:
        ours, others = Ours(application), [GenaiPrices(), LiteLLM()]
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)  # as in the server
        found = [_measured(family, ours, others, calls=calls, rounds=rounds) for family in FAMILIES]
    return [_report(found, calls, rounds)]


def _measured(family: Family, ours: Ours, others: Sequence[Reader], *, calls: int, rounds: int) -> Times:
    print(f"extraction: {family.name}", file=sys.stderr)
    made = families.calls_of(family, families.made_counts(calls))
    laps = _steps(ours, [call.raw for call in made], [ours.prepare(call) for call in made], family.provider)
    laps |= {reader.name: _lap(reader.read, [reader.prepare(call) for call in made]) for reader in others}
    for lap in laps.values():
        lap()
    times: dict[str, list[float]] = {name: [] for name in laps}
    for number in range(rounds):
        names = list(laps)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.process_time()
            laps[name]()
            times[name].append((time.process_time() - start) / calls * 1_000_000)
    size = sum(len(call.raw) for call in made) // len(made)
    return Times(family.name, size, {name: statistics.median(found) for name, found in times.items()})


def _steps(ours: Ours, responses: Sequence[bytes], records: Sequence[bytes], provider: str) -> dict[str, Lap]:
    """Our own steps, each from what the one before it yields, and the whole."""
    parsed = [_parse(raw) for raw in responses]
    submissions = [ours.read(record).submission for record in records]

    def extract() -> None:
        for response in parsed:
            ours.shapes.extract(provider, response, whole_response=True)

    def price() -> None:
        for submission in submissions:
            usage.price(ours.ctx, ours.book, submission, itemised=False)

    return {
        "parse": _lap(_parse, responses),
        "extract": extract,
        "price": price,
        "record": _lap(ours.read, records),
    }


def _lap(step: Callable[[Any], Any], items: Sequence[Any]) -> Lap:
    def lap() -> None:
        for item in items:
            step(item)

    return lap


def _report(found: Sequence[Times], calls: int, rounds: int) -> Report:
    rows = [_family_row(times) for times in found]
    core = statistics.median(times.core for times in found)
    record = statistics.median(times.steps["record"] for times in found)
    rows += [
        Row(
            "extraction and pricing, median of the families",
            1_000_000 / core,
            "/s",
            at_least(WANTED),
            "parsing, extraction, pricing; one core",
        ),
        Row(
            "a whole record from its bytes, median of the families",
            1_000_000 / record,
            "/s",
            at_least(WANTED),
            "checked, with evidence, fingerprint and price; one core",
        ),
    ]
    rows += [
        Row(f"{name} takes, against our whole record", _ratio(found, name), "×", None, "median of the families")
        for name in ("genai-prices", "litellm")
    ]
    remark = f"{calls:,} responses a family, medians of {rounds} rounds, in turns; processor time of one core."
    return Report("From a provider's response to an amount", rows, [remark])


def _family_row(times: Times) -> Row:
    steps = times.steps
    note = (
        f"{times.bytes:,} bytes: parsing {steps['parse']:.1f}, extraction {steps['extract']:.1f}, pricing "
        f"{steps['price']:.1f} µs; the whole record {steps['record']:.1f} µs; "
        f"genai-prices {steps['genai-prices']:.0f}, litellm {steps['litellm']:.0f} µs"
    )
    return Row(times.family, 1_000_000 / times.core, "/s", at_least(WANTED), note)


def _ratio(found: Sequence[Times], name: str) -> float:
    return statistics.median(times.steps[name] / times.steps["record"] for times in found)
