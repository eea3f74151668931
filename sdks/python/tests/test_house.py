"""The house rules that a machine can hold, for the SDK."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import llm_cost_ops

SOURCE = Path(llm_cost_ops.__file__).parent
PROJECT = SOURCE.parents[1]
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 350
LONGEST_FUNCTION = 70
VAGUE_NAMES = {"utils", "helpers", "manager", "misc", "common"}
KNOWN_BY_ALL = {"httpx2", "llm_cost_ops", "typing_extensions"}
"""`typing_extensions` for type checkers alone: never when the program runs."""


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    assert path.stem not in VAGUE_NAMES
    long = [f.name for f in functions(parsed(path)) if (f.end_lineno or 0) - f.lineno >= LONGEST_FUNCTION]
    assert long == []


@pytest.mark.parametrize("path", FILES, ids=named)
def test_what_is_public_says_what_it_is(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree)
    silent = [node.name for node in public(tree) if not ast.get_docstring(node)]
    assert silent == []


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes of a module that anybody may use, and the methods of the classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    method for method in functions(node) if not method.name.startswith("_") and method in node.body
                )


def test_every_file_reads_its_annotations_as_texts() -> None:
    with_code = [path for path in FILES if len(parsed(path).body) > 1]
    without = [named(p) for p in with_code if "from __future__ import annotations" not in p.read_text("utf-8")]
    assert without == []


def test_what_is_loaded_at_once_is_the_standard_library_and_the_http_client() -> None:
    found = []
    for path in FILES:
        if {"integrations", "instrumentation"} & set(path.relative_to(SOURCE).parts):
            continue
        for node in parsed(path).body:
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [
                f"{named(path)}: {n}"
                for n in names
                if n.partition(".")[0] not in KNOWN_BY_ALL | sys.stdlib_module_names
            ]
    assert found == []


def test_the_server_is_imported_nowhere() -> None:
    found = []
    for path in FILES:
        for node in ast.walk(parsed(path)):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [named(path) for name in names if name.partition(".")[0] == "cost_ops"]
    assert found == []


def test_no_binary_float_is_made_of_money() -> None:
    names = {"cost", "amount", "price", "total_cost", "spent", "limit"}
    found = []
    for path in FILES:
        for node in ast.walk(parsed(path)):
            made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            if made and any(
                isinstance(n, ast.Attribute | ast.Name) and getattr(n, "attr", getattr(n, "id", "")) in names
                for n in ast.walk(node)
            ):
                found.append(f"{named(path)}:{node.lineno}")
    assert found == []


def test_the_methods_that_wait_are_made_of_those_that_are_awaited() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "make_synchronous.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_wheel_says_that_it_is_typed_and_holds_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys, hatchling.build as b; b.build_wheel(sys.argv[1])", str(tmp_path)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        [about] = [packed.read(name).decode() for name in names if name.endswith("METADATA")]
    assert "llm_cost_ops/py.typed" in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"llm_cost_ops"}
    needed = [line for line in about.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert needed == ["Requires-Dist: httpx2<3,>=2.0"]
