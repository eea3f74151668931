"""Fuzz what reads input: `python -m tests.fuzz --inputs 1000000` in `server`, or `make fuzz N=1000000`.

Inputs have numbers; a seed, and with it a finding, gives the same again: `--first 4711 --inputs 1` repeats one. The exit
code is 1 where something was found.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.fuzz.running import Summary, part

_PARTS = 40
"""Progress is told after each."""


def main() -> int:
    """Run what the arguments say; 1 where something was found."""
    options = _options()
    start = time.perf_counter()
    total = Summary()
    size = max(-(-options.inputs // _PARTS), 1)
    parts = [
        (options.targets, options.seed, first, min(size, options.first + options.inputs - first))
        for first in range(options.first, options.first + options.inputs, size)
    ]
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(part, *arguments) for arguments in parts]):
            part_found = done.result()
            for key in part_found.findings.keys() - total.findings.keys():
                sys.stderr.write(f"found: {', '.join(key)}, input {part_found.findings[key].number}\n")
            total.add(part_found)
            seconds = time.perf_counter() - start
            count = total.inputs.total()
            sys.stderr.write(f"{count:>9,} inputs, {count / seconds:,.0f}/s, {len(total.findings)} findings\n")
    _tell(total, time.perf_counter() - start)
    return 1 if total.findings else 0


def _tell(total: Summary, seconds: float) -> None:
    rows = [f"| {name} | {count:,} | {total.taken[name]:,} |" for name, count in sorted(total.inputs.items())]
    lines = ["| Target | Inputs | Taken |", "|---|---:|---:|", *rows, ""]
    lines.append(f"{total.inputs.total():,} inputs in {seconds:,.0f} s, {len(total.findings)} findings")
    for (name, place), found in sorted(total.findings.items()):
        lines.append(f"\n## {name}: {place}, {found.count:,} times, first with input {found.number}")
        lines += [found.fault, found.shown]
    sys.stdout.write("\n".join(lines) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them where none is named")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
