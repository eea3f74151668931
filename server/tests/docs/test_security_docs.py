"""What is said of security can be checked: every requirement has a verdict, every test that is named exists."""

import ast
import os
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.generated import with_generated

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "server"
ASVS = ROOT / "docs" / "reference" / "asvs.md"
REQUIREMENTS = Path(__file__).with_name("asvs_requirements.txt")
"""Number and level of every requirement of levels 1 and 2 of ASVS 5.0.0: 70 and 183."""

PAGES = (ASVS, ROOT / "docs" / "explanation" / "threat-model.md")
VERDICTS = ("met", "operator", "not yet", "does not apply")
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \|", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_DOCUMENT = re.compile(r"\]\([^)]+\)")


class Row(NamedTuple):
    """One requirement as the page answers it."""

    number: str
    level: str
    asks: str
    verdict: str
    how: str
    shown_by: str


@cache
def rows() -> list[Row]:
    lines = [line for line in ASVS.read_text(encoding="utf-8").splitlines() if _ROW.match(line)]
    return [Row(*(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])) for line in lines]


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((SERVER / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_requirement_of_level_1_and_2_has_exactly_one_row_in_order():
    listed = REQUIREMENTS.read_text(encoding="utf-8").split("\n")[:-1]
    assert Counter(line.split()[1] for line in listed) == {"1": 70, "2": 183}
    assert [f"{row.number} {row.level}" for row in rows()] == listed


def test_rows_stand_in_their_chapter():
    chapter = ""
    for line in ASVS.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## V(\d+) ", line):
            chapter = heading[1]
        elif row := _ROW.match(line):
            assert row[1].split(".")[0] == chapter, line


def test_every_row_has_a_verdict_and_its_reason():
    assert [row for row in rows() if row.verdict not in VERDICTS] == []
    assert [row.number for row in rows() if len(row.asks) < 10 or len(row.how) < 10] == []


def test_what_is_met_names_a_test_or_a_document():
    bare = [row.number for row in rows() if row.verdict == "met" and not _evidence(row)]
    assert bare == []


def test_what_is_left_to_the_operator_is_written_down_for_them():
    assert [row.number for row in rows() if row.verdict == "operator" and not _DOCUMENT.search(row.shown_by)] == []


def test_what_is_not_met_claims_no_proof():
    assert [row.number for row in rows() if row.verdict in VERDICTS[2:] and _TEST.search(row.shown_by)] == []


def _evidence(row: Row) -> bool:
    return bool(_TEST.search(row.shown_by) or _DOCUMENT.search(row.shown_by))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(page: Path):
    named = _TEST.findall(page.read_text(encoding="utf-8"))
    assert named, "a page on security without a single test"
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (SERVER / path).is_file() or (name and (not name.startswith("test_") or name not in functions(path)))
    ]
    assert missing == []


def test_the_counts_at_the_top_are_those_of_the_rows():
    text = ASVS.read_text(encoding="utf-8")
    expected = with_generated(text, "counts", _counts())
    if os.environ.get("UPDATE_DOCS"):
        ASVS.write_text(expected, encoding="utf-8")
    assert ASVS.read_text(encoding="utf-8") == expected


def _counts() -> str:
    """How many requirements have which verdict, by level and by chapter, as a table."""
    lines = [f"| | Requirements | {' | '.join(VERDICTS)} |", "|---" * (len(VERDICTS) + 2) + "|"]
    for level in ("1", "2"):
        lines.append(_count(f"Level {level}", [row for row in rows() if row.level == level]))
    lines.append(_count("**Both**", rows()))
    for title in re.findall(r"^## (V\d+ .+)$", ASVS.read_text(encoding="utf-8"), re.MULTILINE):
        chapter = title.partition(" ")[0].removeprefix("V")
        anchor = title.lower().replace(" ", "-")
        found = [row for row in rows() if row.number.split(".")[0] == chapter]
        lines.append(_count(f"[{title}](#{anchor})", found))
    return "\n".join(lines)


def _count(name: str, found: list[Row]) -> str:
    verdicts = Counter(row.verdict for row in found)
    return f"| {name} | {len(found)} | {' | '.join(str(verdicts[verdict]) for verdict in VERDICTS)} |"


def test_every_dependency_has_its_reason():
    project = tomllib.loads((SERVER / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"]]
    wanted += [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    names = {re.match(r"[\w-]+", text)[0] for text in wanted}  # type: ignore[index]
    page = (ROOT / "docs" / "decisions" / "0003-dependencies.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([\w-]+)(?: \(\w+\))? \|", page, re.MULTILINE)) - {"Package"}
    assert names == listed
