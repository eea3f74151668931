"""Samples in documents: found, run as a reader would run them, and compared with what the document says.

A block is run where the line `<!-- test: run -->` stands before it; blocks of one document share a folder and the
shell's variables and functions.

- ```` ```bash ````: a script; it has to succeed.
- ```` ```console ````: commands after `$ `, each with its output below. A line `…` stands for any lines.
- ```` ```json ```` or ```` ```text ```` after `<!-- test: answer -->`: what the block before it writes to stdout. Of JSON
  the document may show a part: what it shows has to be there.

Ids, keys, tokens, hashes, times, months and versions may differ. Further words: `<!-- test: run, exit 1 -->` expects a
failure, `<!-- test: run, any numbers -->` lets all numbers differ, `<!-- test: run, example -->` all of the output.

`UPDATE_DOCS=1 python -m pytest server/tests/docs` writes the real output into the documents instead of comparing.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = re.compile(
    r"^(?P<indent> *)<!-- test: (?P<marks>[^\n]*?) -->\n+^ *```(?P<language>\w+)\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
PLACEHOLDER = "TODO"
"""Stands where `UPDATE_DOCS=1` is to write the output of a new sample."""

_SEPARATOR = "\x1e"
_TIMEOUT_SECONDS = 120

_BLURS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\x1b\[[0-9;]*m", ""),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"sk_(live|test|admin)_[0-9a-z]{8}_([0-9A-Za-z]{20,64}|…)", "<key>"),
        (r"\bkey_[0-9a-z]{8}\b", "<key id>"),
        (r"\b(usr|ses|key|lease|alert|wh|ch|dlv|job)_[0-9a-z]{16,24}\b|\b(policy|budget)-[0-9a-f]{12}\b", "<id>"),
        (r"\bwhsec_([0-9A-Za-z+/]{32,88}={0,2}|…)", "<secret>"),
        (r"\beyJ([\w-]+\.[\w-]+\.[\w-]+|…)", "<token>"),
        (r"\b[0-9a-f]{64}\b", "<hash>"),
        (r"\breq-[0-9a-z]+", "<request>"),
        (r"\bprice-\d+", "<price>"),
        (r"genai-prices \d[\d.]*", "<genai-prices>"),
        (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?", "<time>"),
        (r"\b20\d\d-(0[1-9]|1[0-2])\b", "<month>"),
        (r"\b\d+\.\d+\.\d+\b", "<version>"),
        (r"[─━═-]{3,}", "─"),
        (r"\s+", " "),
    )
)
_SECRET = re.compile(
    r"\b(sk_(?:live|test|admin)_[0-9a-z]{8}_|eyJ|whsec_)"
    r"(?:[0-9A-Za-z]{20,64}\b|[\w-]+\.[\w-]+\.[\w-]+|[0-9A-Za-z+/]{32,88}={0,2})"
)
_NUMBER = re.compile(r"[-+]?\d[\d,._]*[kMG%]?")


@dataclass(frozen=True, slots=True)
class Sample:
    """One block that is run: commands, each with the output that the document shows (None: nothing is said)."""

    line: int
    commands: tuple[str, ...]
    outputs: tuple[str | None, ...]
    exit_code: int = 0
    any_numbers: bool = False
    is_example: bool = False
    spans: tuple[tuple[int, int], ...] = ()
    """Where in the document the outputs stand."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document's text and its samples."""

    path: Path
    text: str
    samples: tuple[Sample, ...]


def read_document(path: Path) -> Document:
    """A document with its samples. Raises ValueError where a mark is not understood."""
    text = path.read_text(encoding="utf-8")
    return Document(path, text, tuple(_samples(path, text)))


def _samples(path: Path, text: str) -> Iterator[Sample]:
    blocks = list(_BLOCK.finditer(text))
    marks = len(re.findall(r"^ *<!-- test:", text, re.MULTILINE))
    if len(blocks) != marks:
        raise ValueError(f"{path}: {marks} marks, but {len(blocks)} marked blocks")
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block["marks"] == "answer":
            continue
        answer = following if following is not None and following["marks"] == "answer" else None
        yield _sample(path, text, block, answer)


def _sample(path: Path, text: str, block: re.Match[str], answer: re.Match[str] | None) -> Sample:
    words = [word.strip() for word in block["marks"].split(",")]
    exits = [int(word.removeprefix("exit ")) for word in words if word.startswith("exit ")]
    known = {"run", "any numbers", "example"}
    if words[0] != "run" or any(word not in known and not word.startswith("exit ") for word in words):
        raise ValueError(f"{path}: the mark {block['marks']!r} is not understood")
    line = text.count("\n", 0, block.start()) + 2
    common: dict[str, Any] = {
        "line": line,
        "exit_code": exits[0] if exits else 0,
        "any_numbers": "any numbers" in words,
        "is_example": "example" in words,
    }
    if block["language"] == "console":
        parts = list(_console(block["body"], block.start("body")))
        commands, spans = tuple(c for c, _ in parts), tuple(s for _, s in parts)
        return Sample(commands=commands, outputs=tuple(text[a:b] for a, b in spans), spans=spans, **common)
    if answer is None:
        return Sample(commands=(block["body"],), outputs=(None,), **common)
    span = (answer.start("body"), answer.end("body"))
    return Sample(commands=(block["body"],), outputs=(answer["body"],), spans=(span,), **common)


def _console(body: str, offset: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each command of a console block, and where its output stands in the document."""
    command: list[str] = []
    start = position = offset
    for line in body.splitlines(keepends=True):
        if command and not _is_complete(command):
            command.append(line)
            start = position + len(line)
        elif line.startswith("$ "):
            if command:
                yield "".join(command), (start, position)
            command = [line.removeprefix("$ ")]
            start = position + len(line)
        position += len(line)
    if command:
        yield "".join(command), (start, position)


def _is_complete(command: list[str]) -> bool:
    text = "".join(command)
    return not text.endswith(("\\\n", "|\n")) and text.count("'") % 2 == 0


@dataclass(slots=True)
class Shell:
    """A reader's terminal: a folder, an environment, and the variables and functions that were set in it."""

    folder: Path
    environment: Mapping[str, str]
    replacements: Mapping[str, str] = field(default_factory=dict)
    """What a document says → what it is here: addresses."""

    def run(self, sample: Sample) -> list[str]:
        """The output of each command. Raises AssertionError where the exit code is not as expected."""
        state = self.folder / ".shell"
        script = f"\nprintf '{_SEPARATOR}'\n".join(self._here(command) for command in sample.commands)
        strict = "set -e\n" if len(sample.commands) == 1 and not sample.exit_code else ""
        merged = "exec 2>&1\n" if sample.spans and len(sample.outputs) == len(sample.commands) else ""
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"[ -f {state} ] && . {state}\nset -a\n{strict}{merged}{script}\n_code=$?\n"
                f"{{ declare -px; declare -f; }} > {state}\nexit $_code",
            ],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == sample.exit_code, f"line {sample.line} ended with {done.returncode}:\n{said}"
        return [self._there(text) for text in done.stdout.split(_SEPARATOR)]

    def _here(self, command: str) -> str:
        for said, meant in self.replacements.items():
            command = command.replace(said, meant)
        return command

    def _there(self, output: str) -> str:
        for said, meant in self.replacements.items():
            output = output.replace(meant, said)
        return output


def blurred(text: str, *, any_numbers: bool = False) -> str:
    """The text without what differs from run to run."""
    for pattern, word in _BLURS:
        text = pattern.sub(word, text)
    return _NUMBER.sub("<number>", text).strip() if any_numbers else text.strip()


def difference(expected: str, actual: str, *, any_numbers: bool = False) -> str | None:
    """Why what a document shows is not what came; None where it is."""
    shown = _json(expected)
    if shown is not None:
        came = _json(actual)
        if came is None:
            return f"not JSON: {actual}"
        return _json_difference(shown, came, "", any_numbers=any_numbers)
    wanted, found = _lines(expected, any_numbers), _lines(actual, any_numbers)
    return None if _match(wanted, found) else f"expected:\n{expected}\ngot:\n{actual}"


def _json(text: str) -> Any:
    """What JSON an object or list stands there; None where it is other text."""
    try:
        return json.loads(text) if text.lstrip().startswith(("{", "[")) else None
    except ValueError:
        return None


def _lines(text: str, any_numbers: bool) -> list[str]:
    return [line for line in (blurred(line, any_numbers=any_numbers) for line in text.splitlines()) if line]


def _match(wanted: list[str], found: list[str]) -> bool:
    if not wanted:
        return not found
    if wanted[0] == "…":
        return any(_match(wanted[1:], found[skipped:]) for skipped in range(len(found) + 1))
    return bool(found) and wanted[0] == found[0] and _match(wanted[1:], found[1:])


def _json_difference(expected: Any, actual: Any, where: str, *, any_numbers: bool) -> str | None:
    """What of `expected` is not in `actual`: members of objects and first entries of lists have to be there."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = expected.keys() - actual.keys()
        if missing:
            return f"{where or 'the answer'} has no {', '.join(sorted(missing))}: {actual}"
        pairs = [(f"{where}.{name}", value, actual[name]) for name, value in expected.items()]
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) > len(actual) or (not expected and actual):
            return f"{where} has {len(actual)} entries, not {len(expected)}"
        pairs = [(f"{where}[{i}]", e, a) for i, (e, a) in enumerate(zip(expected, actual, strict=False))]
    else:
        same = _same_value(expected, actual, any_numbers=any_numbers)
        return None if same else f"{where}: {actual!r}, not {expected!r}"
    found = (_json_difference(e, a, place, any_numbers=any_numbers) for place, e, a in pairs)
    return next((text for text in found if text), None)


def _same_value(expected: Any, actual: Any, *, any_numbers: bool) -> bool:
    if isinstance(expected, str) and isinstance(actual, str):
        return blurred(expected, any_numbers=any_numbers) == blurred(actual, any_numbers=any_numbers)
    if bool in (type(expected), type(actual)) or not isinstance(expected, int | float):
        return expected is actual
    return isinstance(actual, int | float) and (any_numbers or expected == actual)


def _problem(sample: Sample, expected: str, got: str) -> str | None:
    if sample.is_example:
        return None if got.strip() or not expected.strip() else "nothing was written"
    return difference(expected, got, any_numbers=sample.any_numbers)


def check(document: Document, shell: Shell) -> None:
    """Run a document's samples in order. Raises AssertionError with the place of the first that is not as shown."""
    for sample in document.samples:
        actual = shell.run(sample)
        for expected, got in zip(sample.outputs, actual, strict=True):
            if expected is not None:
                problem = _problem(sample, expected, got)
                assert problem is None, f"{document.path}, line {sample.line}: {problem}"


def update(document: Document, shell: Shell) -> None:
    """Run a document's samples and write what came into it, where it is not what the document shows."""
    changes: list[tuple[tuple[int, int], str]] = []
    for sample in document.samples:
        actual = shell.run(sample)
        if not sample.spans:
            continue
        for span, expected, got in zip(sample.spans, sample.outputs, actual, strict=True):
            if _problem(sample, expected or "", got) is not None or (expected or "").strip() == PLACEHOLDER:
                changes.append((span, _tidy(got)))
    text = document.text
    for (start, end), output in reversed(changes):
        text = text[:start] + output + text[end:]
    document.path.write_text(text, encoding="utf-8")


def _tidy(output: str) -> str:
    """Output as it stands in a document: no empty lines at its ends, no spaces at the ends of lines, no secrets."""
    text = "\n".join(line.rstrip() for line in output.strip("\n").splitlines()).strip("\n")
    if "\n" not in text and len(text) > 120 and _json(text) is not None:
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    text = _SECRET.sub(r"\1…", text)
    return f"{text}\n" if text else ""
