"""Makes `resources/synchronous` of `resources/asynchronous`, which is the one that people write.

    python sdks/python/make_synchronous.py            writes it
    python sdks/python/make_synchronous.py --check    says whether it is what it should be

A method whose name ends in `_async` stays one that is awaited: it asks on the loop that runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "src" / "llm_cost_ops" / "resources"
_WORDS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bfrom asyncio import\b", "from time import"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\benter_async_context\b", "enter_context"),
    (r"\bAsync(\w+)", r"\1"),
    (r"__a(enter|exit|iter|next)__", r"__\1__"),
    (r"\ba(close|read|iter_bytes)\b", r"\1"),
    (r"\bresources\.asynchronous\b", "resources.synchronous"),
    (r"for event loops\. `synchronous` is made of this folder:", "made of `asynchronous` by"),
)
_STAYS = re.compile(r"^    async def \w+_async\(.*?(?=^    (?:async )?def |^    @|^\S|\Z)", re.MULTILINE | re.DOTALL)
_ITSELF = "return await self.submit(**fields)"
_ON_THE_LOOP = "return await AsyncUsage(on_loop(self._caller)).submit(**fields)"
_BEFORE = "from llm_cost_ops.resources.synchronous.calling"
_IMPORTED = (
    "from llm_cost_ops.resources.asynchronous.usage import AsyncUsage\n"
    "from llm_cost_ops.resources.loops import on_loop\n"
)
_HERE_TOO = "The same as `submit`, which here has to be awaited too."
_AWAITED = "The same as `submit`, awaited: on the event loop that runs, whichever it is."


def synchronous(text: str) -> str:
    """The text of a module without its waiting."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found.group().replace(_ITSELF, _ON_THE_LOOP).replace(_HERE_TOO, _AWAITED))
        return f"    # kept {len(kept) - 1}\n"

    text = _STAYS.sub(keep, text)
    for pattern, instead in _WORDS:
        text = re.sub(pattern, instead, text)
    for number, method in enumerate(kept):
        text = text.replace(f"    # kept {number}\n", method)
    return text.replace(_BEFORE, _IMPORTED + _BEFORE, 1) if kept else text


def formatted(text: str, name: str) -> str:
    """As `ruff` writes it."""
    for how in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *how, "--stdin-filename", str(FOLDER / "synchronous" / name), "-"]
        done = subprocess.run(command, input=text, capture_output=True, check=True, encoding="utf-8")
        text = done.stdout
    return text


def made() -> dict[str, str]:
    """Every module of `synchronous`, by its name."""
    sources = sorted((FOLDER / "asynchronous").glob("*.py"))
    return {source.name: formatted(synchronous(source.read_text("utf-8")), source.name) for source in sources}


def main() -> int:
    """Write, or check."""
    wrong = 0
    for name, text in made().items():
        target = FOLDER / "synchronous" / name
        if target.exists() and target.read_text("utf-8") == text:
            continue
        if "--check" in sys.argv:
            wrong += 1
            sys.stderr.write(f"{target.name} is not what is made of `asynchronous`: run {Path(__file__).name}\n")
        else:
            target.write_text(text, "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
