"""The house rules that a machine can hold: nobody has to remember them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cost_ops

SOURCE = Path(cost_ops.__file__).parent
FILES = sorted(p for p in SOURCE.rglob("*.py") if "versions" not in p.parts)
LONGEST_FILE = 350
LONGEST_FUNCTION = 70
VAGUE_NAMES = {"utils", "helpers", "manager", "misc", "common"}


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_holds_one_idea(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_FILE
    assert path.stem not in VAGUE_NAMES
    long = [f.name for f in functions(path) if (f.end_lineno or 0) - f.lineno >= LONGEST_FUNCTION]
    assert long == []


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_binary_float_comes_near_money() -> None:
    found = []
    for path in (p for folder in ("domain", "services") for p in (SOURCE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            sides = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
            literal = any(isinstance(n, ast.Constant) and isinstance(n.value, float) for n in sides)
            made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            if (literal or made) and path.name != "samples.py":
                found.append(f"{named(path)}:{getattr(node, 'lineno', 0)}")
    assert found == []


def test_the_core_knows_no_clock_and_no_environment() -> None:
    banned = {"os", "time", "random", "secrets", "socket", "subprocess", "threading", "logging", "pathlib", "io"}
    found = []
    for path in (SOURCE / "domain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found += [f"{named(path)} imports {n}" for n in names if n.split(".")[0] in banned]
            if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
                found.append(f"{named(path)}:{node.lineno} asks for the time")
    assert found == []


def test_no_provider_is_treated_by_name_in_code() -> None:
    pattern = re.compile(r"""provider\s*(==|!=|in)\s*[\[({]?["']""")
    found = [
        f"{named(path)}:{n}"
        for path in FILES
        if "catalog" not in path.parts
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
