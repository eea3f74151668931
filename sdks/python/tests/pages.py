"""Pages of the documentation as programs: their blocks of Python run in order, and print what stands below them.

As for the samples of the command line, `UPDATE_DOCS=1` writes what was printed into the page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple, Optional

ROOT = Path(__file__).parents[3]
_FENCED = re.compile(
    r"^```(?P<language>python|diff)(?: (?P<mark>[\w.-]+))?\n(?P<code>.*?)^```$"
    r"(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of Python, its mark, and what the page says that it prints."""

    code: str
    mark: Optional[str]
    printed: Optional[str]


def blocks(page: str) -> Iterator[Block]:
    """The Python of a page, in its order. Of a `diff`, it is what the program is afterwards."""
    for found in _FENCED.finditer((ROOT / page).read_text("utf-8")):
        code = found["code"]
        if found["language"] == "diff":
            code = "".join(line[1:] for line in code.splitlines(keepends=True) if not line.startswith("-"))
        yield Block(code, found["mark"], found["printed"])


def run(
    page: str, names: dict[str, Any], mark: Optional[str] = None, values: Optional[Mapping[str, str]] = None
) -> str:
    """Run a page's blocks that bear this mark, and hold each to what it is said to print; all that was printed.

    `values` are texts of the page that are others here, such as a key.
    """
    everything = ""
    for number, block in enumerate(blocks(page), 1):
        if block.mark != mark:
            continue
        code = block.code
        for said, here in (values or {}).items():
            code = code.replace(said, here)
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, f"{page}, block {number}", "exec"), names)
        if block.printed is not None and os.environ.get("UPDATE_DOCS"):
            _write(page, number, printed.getvalue())
        elif block.printed is not None:
            assert printed.getvalue() == block.printed, f"{page}, block {number}"
        everything += printed.getvalue()
    return everything


def _write(page: str, number: int, printed: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    begin, end = list(_FENCED.finditer(text))[number - 1].span("printed")
    (ROOT / page).write_text(text[:begin] + printed + text[end:], "utf-8")
