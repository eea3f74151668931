"""Run benchmarks and print what they found, with the conditions: `python benchmarks/run.py [pricing|ingest|…|all]`.

It measures and does not judge: the exit code is 0 where a target is missed, but the missed ones are named last.
Progress goes to standard error, the tables (Markdown) to standard output, and the figures to `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.report import Report

ROOT = Path(__file__).resolve().parent.parent
NAMES = (
    "pricing",
    "extraction",
    "compared",
    "startup",
    "ingest",
    "otlp",
    "query",
    "reprice",
    "access",
    "isolation",
    "audit",
    "limits",
    "budgets",
    "notifying",
    "sdk_track",
    "sdk_delivery",
    "sdk_overhead",
)
_ONE_REPORT = ("pricing", "startup", "sdk_overhead")
CACHE = Path("/var/tmp/cost-ops-bench")
_UNITS = {"k": 1_000, "m": 1_000_000}


def main() -> None:
    """Run what was asked for."""
    sys.path[:1] = [str(ROOT), str(ROOT / "server")]
    from benchmarks import conditions
    from benchmarks.report import missed

    options = _options()
    options.cache.mkdir(parents=True, exist_ok=True)
    about = conditions.conditions(options.cache)
    print("## Conditions\n", conditions.markdown(about), sep="\n", flush=True)
    reports = []
    for name in NAMES if "all" in options.names else options.names:
        for number, report in enumerate(_benchmark(name)(options)):
            report.save(f"{name}-{number}" if number else name, about)
            print("", report.markdown(), sep="\n", flush=True)
            reports.append(report)
    print(f"\nLoad after: {conditions.load()}. Figures from a machine that had other work to do are none.")
    failures = missed(reports)
    if failures:
        print("\n**MISSED:**", *(f"- {line}" for line in failures), sep="\n")
    else:
        print("\nEvery target that was measured is met.")


def _benchmark(name: str) -> Callable[[argparse.Namespace], list[Report]]:
    """The function that runs a benchmark; its module is imported only now."""
    run = import_module(f"benchmarks.{name}").run
    if name in _ONE_REPORT:
        return lambda options: [run(quick=options.quick)]
    found: Callable[[argparse.Namespace], list[Report]] = run
    return found


def _name(text: str) -> str:
    """A benchmark's name, or `all`."""
    if text not in (*NAMES, "all"):
        raise argparse.ArgumentTypeError(f"{text!r} is no benchmark; there are {', '.join(NAMES)} and all")
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["all"], type=_name, metavar="NAME")
    parser.add_argument("--records", type=counts, help="sizes of filled ledgers, such as 1M,10M,100M")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], help="one database only")
    parser.add_argument("--soak", type=float, default=0, help="seconds to load the server while its memory is watched")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where ledgers are kept")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that it works")
    return parser.parse_args()


def counts(text: str) -> list[int]:
    """`1M,10M` as numbers."""
    return [count(part) for part in text.split(",")]


def count(text: str) -> int:
    """`10M` is ten million.

    >>> count("10M"), count("250k"), count("7")
    (10000000, 250000, 7)
    """
    unit = _UNITS.get(text[-1].lower())
    return int(float(text[:-1]) * unit) if unit else int(text)


if __name__ == "__main__":
    main()
