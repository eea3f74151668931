"""The Python that the FAQ and the troubleshooting guide print, read from copies of what is printed, and run unchanged."""

from __future__ import annotations

import re
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from ledgers import Ledger

_PAGES = Path(__file__).parent / "snippets"
_BLOCK = re.compile(r"^## (?P<title>[^\n]+)\n\n(?P<code> *```python\n.*?^ *```$)", re.MULTILINE | re.DOTALL)
_HOSTS = re.compile(r"https://api\.llm-cost-ops\.[a-z.]+")
_KEYS = re.compile(r"sk_live_\.\.\.|YOUR_API_KEY")


@cache
def printed(page: str) -> dict[str, str]:
    """What a page prints, by where it stands there."""
    found = _BLOCK.finditer((_PAGES / f"{page}.txt").read_text("utf-8"))
    return {one["title"]: "\n".join(textwrap.dedent(one["code"]).splitlines()[1:-1]) + "\n" for one in found}


def snippet(page: str, title: str) -> str:
    """The one whose place begins like this."""
    [code] = [code for place, code in printed(page).items() if title in place]
    return code


def for_here(code: str, ledger: Ledger, **literal: str) -> str:
    """The host and the key of a ledger on this machine, and what is to stand where dots are printed; nothing else changes.

    `literal` names what has dots in the text: `start_date='"2026-01-01T00:00:00Z"'` for `start_date=...`, `call` for
    `create(...)`.
    """
    for name, value in literal.items():
        dots = "(...)" if name == "call" else f"{name}={{...}}" if f"{name}={{...}}" in code else f"{name}=..."
        assert dots in code, f"{dots} is not printed"
        code = code.replace(dots, f"({value})" if name == "call" else f"{name}={value}")
    return _KEYS.sub(ledger.key, _HOSTS.sub(ledger.url, code))


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run it where these names are known, and what it defined."""
    names["__name__"] = "printed"
    exec(compile(code, "printed", "exec"), names)
    return names
