"""The reference is complete: settings, commands, routes, permissions, error codes, links."""

import os
import re
from pathlib import Path

import pytest

from cost_ops.api.errors import InternalError, MethodNotAllowed
from cost_ops.api.openapi import document
from cost_ops.api.routes import OPERATIONS
from cost_ops.domain import errors
from cost_ops.domain.access import ADMIN, PERMISSIONS
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.periods import PRESETS
from cost_ops.settings import KEYS, SHORT_VARIABLES
from cost_ops.storage.access_tables import projects
from cost_ops.storage.tables import metadata
from tests.docs import generated

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
HTTP_PAGES = ("http.md", "http-access.md", "http-budgets.md", "http-notifications.md", "http-jobs.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "server" / "README.md"])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def _read(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", generated.PARTS)
def test_generated_parts_are_what_the_program_says(name: str):
    path = REFERENCE / name
    expected = generated.expected(path)
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(expected, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == expected


def test_every_setting_is_described():
    page = _read("configuration.md")
    for key in KEYS:
        section, _, name = key.partition(".")
        assert f"`{name}`<br>`COST_OPS_{section.upper()}_{name.upper()}`" in page
    for variable in SHORT_VARIABLES:
        assert f"`{variable}`" in page


def test_every_command_is_described():
    page = _read("cli.md")
    missing = [name for name, _ in generated.all_commands() if f"# `{name}`\n" not in page]
    assert missing == []


def test_every_command_has_a_sentence_and_an_example():
    bare = [
        name for name, command in generated.all_commands() if not command.help or not getattr(command, "examples", ())
    ]
    assert bare == []


def test_every_range_is_described():
    page = _read("cli.md")
    assert [name for name in PRESETS if f"`{name}`" not in page] == []


def _http() -> str:
    return "\n".join(map(_read, HTTP_PAGES))


def _sections(page: str) -> dict[str, str]:
    """Heading → text of every section of a page, up to the next heading."""
    parts = re.split(r"^#{2,4} (.+)$", _FENCE.sub(lambda m: m[0].replace("\n#", "\n "), page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_route_has_a_section_with_its_permission_and_parameters():
    sections = _sections(_http())
    common = sections["Common parameters"]
    for path, methods in document()["paths"].items():
        for method in methods:
            heading = next((h for h in sections if f"`{method.upper()} {path}`" in h), None)
            assert heading is not None, f"{method.upper()} {path} has no section"
            operation = next(o for o in OPERATIONS if o.path == path and method.upper() in o.methods)
            text = sections[heading]
            if operation.permission is not None:
                assert f"Permission: `{operation.permission}`" in text, heading
            for parameter in (*operation.parameters, *(["tag.KEY"] if operation.tag_filters else [])):
                name = getattr(parameter, "name", parameter)
                assert f"`{name}`" in common or f"`{name}`" in text, f"{heading}: {name}"


def test_every_operation_has_a_request_in_its_section_that_is_tested():
    sections = _sections(_http())
    for path, methods in document()["paths"].items():
        place = re.compile(re.sub(r"\\{\w+\\}", r"[^\\s\"'/?]+", re.escape(path)) + r"[\s\"'?]")
        for method in methods:
            text = next((text for heading, text in sections.items() if f"`{method.upper()} {path}`" in heading), "")
            run = "".join(re.findall(r"<!-- test: run[^>]*-->\n```.*?```", text, re.DOTALL))
            assert place.search(run), f"{method.upper()} {path}"
            if method not in ("get", "head") and "-d " not in run:
                assert f"-X {method.upper()}" in run, f"{method.upper()} {path}"


def test_no_operation_is_described_twice():
    headings = re.findall(r"^### (.+)$", _FENCE.sub("", _http()), re.MULTILINE)
    named = [operation for heading in headings for operation in re.findall(r"`([A-Z]+ /[^`]*)`", heading)]
    assert sorted(named) == sorted(set(named))


def test_every_field_of_a_record_is_described():
    text = _sections(_read("http.md"))["Fields of a record"]
    names = document()["components"]["schemas"]["SubmittedRecord"]["properties"]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_permission_is_described():
    text = _sections(_read("http.md"))["Permissions"]
    assert [name for name in (*PERMISSIONS, ADMIN) if f"`{name}`" not in text] == []


def _kinds(of: type[CostOpsError] = CostOpsError) -> set[type[CostOpsError]]:
    found = {kind for kind in of.__subclasses__() if kind.__module__ in (errors.__name__, InternalError.__module__)}
    return found.union(*(_kinds(kind) for kind in found)) if found else set()


def test_every_error_code_is_described():
    text = _sections(_read("http.md"))["Errors"]
    kinds: set[type[CostOpsError]] = {CostOpsError, MethodNotAllowed, *_kinds()}
    codes = {kind.code for kind in kinds}
    assert [code for code in sorted(codes) if f"`{code}`" not in text] == []


def test_every_status_of_the_openapi_document_is_described():
    text = _sections(_read("http.md"))["Errors"]
    answers = {s for path in document()["paths"].values() for method in path.values() for s in method["responses"]}
    assert [status for status in sorted(answers) if int(status) >= 400 and f"| {status} |" not in text] == []


def test_every_table_and_column_is_described():
    page = _read("database.md")
    assert projects.metadata is metadata  # the tables of access are among them
    for table in metadata.sorted_tables:
        assert f"`{table.name}`" in page
        sections = re.split(r"^## ", page, flags=re.MULTILINE)
        text = next(part for part in sections if f"`{table.name}`" in part.partition("\n")[0])
        assert [c.name for c in table.columns if f"`{c.name}`" not in text] == [], table.name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in _anchors(there), f"{page}: {target}"


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "decisions" and p.name != "README.md"]
    assert [str(p) for p in pages if str(p.relative_to(ROOT / "docs")) not in index] == []


def test_pages_name_nothing_of_the_place_they_were_written_in():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(work|home|root|Users)/", text), page
        assert "TODO" not in text, page
