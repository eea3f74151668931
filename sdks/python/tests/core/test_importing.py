"""Importing costs next to nothing, and needs nothing but the HTTP client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llm_cost_ops

THIRD_PARTY = """
import sys, sysconfig
before = set(sys.modules)
{code}
roots = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(" ".join(sorted(roots - set(sys.builtin_module_names) - set(getattr(sys, "stdlib_module_names", ())))))
"""


def loaded(code: str) -> set[str]:
    """The packages that these lines load, beside the standard library's."""
    source = str(Path(llm_cost_ops.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    command = [sys.executable, "-c", THIRD_PARTY.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    known = {"llm_cost_ops", "httpx2"}
    names = set(done.stdout.split())
    return (
        names if hasattr(sys, "stdlib_module_names") else names & (known | {"pydantic", "wrapt", "openai", "cost_ops"})
    )


def test_importing_loads_no_package_but_itself() -> None:
    assert loaded("import llm_cost_ops") == {"llm_cost_ops"}


def test_a_client_loads_its_http_client_and_never_the_server() -> None:
    names = loaded("import llm_cost_ops\nllm_cost_ops.CostOpsClient('sk_live_x').close()")
    assert {"llm_cost_ops", "httpx2"} <= names
    assert not names & {"cost_ops", "pydantic", "wrapt", "openai", "msgspec", "sqlalchemy", "requests"}


def test_every_public_name_is_there_and_no_other() -> None:
    for name in llm_cost_ops.__all__:
        assert getattr(llm_cost_ops, name) is not None
    assert set(dir(llm_cost_ops)) == set(llm_cost_ops.__all__)
    assert not hasattr(llm_cost_ops, "nothing_of_that_name")
