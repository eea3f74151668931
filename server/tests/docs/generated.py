"""The parts of the reference that are written by the program itself: commands and settings.

They stand between `<!-- generated: NAME -->` and `<!-- end -->`; `UPDATE_DOCS=1 python -m pytest server/tests/docs` writes
them anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import rich_click as click

from cost_ops.cli.main import COMMANDS, PANELS
from cost_ops.cli.options import PANEL
from cost_ops.settings import _BOUNDS, _SECTIONS, ENV_PREFIX, KEYS, describe, is_secret


def with_generated(text: str, name: str, content: str) -> str:
    """A document with a generated part as it should be. Raises ValueError where it has none of that name."""
    pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"there is no generated part {name!r}")
    return pattern.sub(lambda match: f"{match[1]}\n{content.strip()}\n\n{match[2]}", text)


def commands() -> str:
    """Every command with its options and examples, by panel, as Markdown."""
    parts = []
    for panel, names in PANELS.items():
        parts.append(f"## {panel}")
        for name in names:
            parts.extend(_section(_load(name), f"cost-ops {name}", 3))
    return "\n\n".join(parts)


def all_commands() -> list[tuple[str, click.Command]]:
    """(full name, command) of every command and sub-command."""
    found = []
    for name in COMMANDS:
        command = _load(name)
        found.append((f"cost-ops {name}", command))
        if isinstance(command, click.Group):
            found.extend((f"cost-ops {name} {sub}", one) for sub, one in command.commands.items())
    return found


def global_options() -> str:
    """The options that every command takes, as a table."""
    return _table([o for o in _load("query").params if _is_global(o)])


def _load(name: str) -> click.Command:
    module, _, attribute = COMMANDS[name].partition(":")
    command: click.Command = getattr(import_module(f"cost_ops.cli.{module}"), attribute)
    return command


def _is_global(parameter: click.Parameter) -> bool:
    return getattr(parameter, "panel", None) == PANEL


def _section(command: click.Command, name: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{name}`"
    yield " ".join((command.help or "").split("\n\n")[0].split())
    rest = [" ".join(part.split()) for part in (command.help or "").split("\n\n")[1:]]
    yield from (part for part in rest if part)
    own = [p for p in command.params if not _is_global(p)]
    arguments = [p for p in own if isinstance(p, click.Argument)]
    options = [p for p in own if isinstance(p, click.Option)]
    if not isinstance(command, click.Group):
        words = [name, *(_argument(a) for a in arguments), *(["[OPTIONS]"] if options else [])]
        yield f"    {' '.join(words)}"
        if options:
            yield _table(options)
    examples = getattr(command, "examples", ())
    if examples:
        yield "```bash\n" + "\n".join(examples) + "\n```"
    if isinstance(command, click.Group):
        for sub, one in command.commands.items():
            yield from _section(one, f"{name} {sub}", level + 1)


def _argument(argument: click.Argument) -> str:
    choices = getattr(argument.type, "choices", None)
    name = "|".join(choices) if choices else (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _table(options: Sequence[click.Parameter]) -> str:
    rows = ["| Option | Meaning |", "|---|---|"]
    for option in options:
        assert isinstance(option, click.Option)
        names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len, reverse=True))
        value = _value(option)
        rows.append(f"| {names}{f' `{value}`' if value else ''} | {_meaning(option)} |")
    return "\n".join(rows)


def _value(option: click.Option) -> str:
    if option.is_flag or option.count:
        return ""
    choices = getattr(option.type, "choices", None)
    # A code span in a table needs its bars escaped.
    return r" \| ".join(choices) if choices else option.metavar or ("N" if "int" in option.type.name else "TEXT")


def _meaning(option: click.Option) -> str:
    text = (option.help or "").replace("|", r"\|")
    notes = []
    if option.required:
        notes.append("required")
    if option.multiple and "repeatable" not in text:
        notes.append("repeatable")
    if option.show_default and option.default not in (None, False):
        notes.append(f"default `{option.default}`")
    return "; ".join(part for part in (text, *notes) if part)


def settings() -> str:
    """Every setting with its environment variable, default, bounds and meaning, by section."""
    parts = []
    for section, kind in _SECTIONS.items():
        rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
        for f in fields(kind):
            key = f"{section}.{f.name}"
            assert key in KEYS
            variable = f"{ENV_PREFIX}{section}_{f.name}".upper()
            rows.append(f"| `{f.name}`<br>`{variable}` | {_default(f.default)} | {_described(key)} |")
        parts.append(f"## `[{section}]`\n\n{(kind.__doc__ or '').strip()}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def _default(value: Any) -> str:
    if value == "":
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _described(key: str) -> str:
    bounds = f"; {_BOUNDS[key][0]:,} to {_BOUNDS[key][1]:,}" if key in _BOUNDS else ""
    return f"{describe(key)}{bounds}{'; secret: masked wherever it is shown' if is_secret(key) else ''}"


PARTS = {
    "cli.md": {"commands": commands, "global options": global_options},
    "configuration.md": {"settings": settings},
}
"""File in docs/reference → part → what makes it."""


def expected(path: Path) -> str:
    """A reference page with its generated parts as they should be."""
    text = path.read_text(encoding="utf-8")
    for name, make in PARTS[path.name].items():
        text = with_generated(text, name, make())
    return text
