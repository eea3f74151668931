"""`python -m llm_cost_ops script.py`: run a program with its calls of models tracked, without changing it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from llm_cost_ops.instrumentation import instrument
from llm_cost_ops.integrations.langchain_callbacks import put_into_langchain

HELP = """\
usage: python -m llm_cost_ops script.py [its arguments]
       python -m llm_cost_ops -m module [its arguments]

Runs a Python program, with the calls of the provider clients that are installed tracked, as llm_cost_ops.instrument()
does it, and with `from langchain.callbacks import CostOpsCallbackHandler` working.

  COST_OPS_API_KEY        the key to record with
  COST_OPS_API_URL        where the ledger is (http://127.0.0.1:8080)
  COST_OPS_ORGANIZATION   the organisation, if the key does not say

Without a key the program runs, and only what it gives a key to itself is tracked.
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run what the arguments say. Exits as the program does; 2 where they say nothing that can be run."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["-h"], ["--help"]):
        print(HELP, end="")
        return 0
    if given[:1] == ["-m"]:
        return _run_module(given[1:])
    if not given or given[0].startswith("-"):
        print(f"{HELP}\nSay which program to run.", file=sys.stderr)
        return 2
    return _run_script(given)


def _run_script(given: list[str]) -> int:
    if not Path(given[0]).exists():
        print(f"python -m llm_cost_ops: there is no {given[0]}", file=sys.stderr)
        return 2
    sys.argv[:] = given
    sys.path[0] = str(Path(given[0]).resolve().parent)
    _prepare()
    runpy.run_path(given[0], run_name="__main__")
    return 0


def _run_module(given: list[str]) -> int:
    if not given:
        print("python -m llm_cost_ops -m: say which module to run", file=sys.stderr)
        return 2
    sys.argv[:] = given
    _prepare()
    runpy.run_module(given[0], run_name="__main__", alter_sys=True)
    return 0


def _prepare() -> None:
    put_into_langchain()
    try:
        instrument()
    except Exception as error:  # noqa: BLE001  (the program has to run, whatever it is)
        print(f"llm_cost_ops: provider clients are not tracked: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
