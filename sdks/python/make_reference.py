"""Writes docs/reference/python.md out of the package itself: every public name, method, field and exception.

python sdks/python/make_reference.py             writes it
python sdks/python/make_reference.py --check     says whether it is what it should be
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef

import llm_cost_ops
from llm_cost_ops import exceptions, models
from llm_cost_ops.models import fields
from llm_cost_ops.models.base import Model
from llm_cost_ops.resources.synchronous.surface import Surface

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"
_WIDTH = 118
_BEGINNING = """\
# Python: every name

Written out of the package by `python sdks/python/make_reference.py`, and tested to be complete. How it is used:
[the client](../guides/python-client.md).

## Names of `llm_cost_ops`
"""
_METHODS = """
## Methods of a client

`AsyncCostOpsClient` has the same resources, and each method is awaited. Behind `**` stands the name of the
[fields](#fields-that-methods-take) that are taken as keyword arguments. Lists that are pages are read as
`.data`, `.pagination`, or by iterating over them. `with_raw_response` of a resource has its methods once more, and they
return a `RawResponse`: `status`, `headers`, `content`, `request_id`, `json()`, `parse()`.
"""
_FIELDS = """
## Fields that methods take

The [HTTP API](http.md) says what each one means. `None` says nothing, but in corrections and updates, where it takes a
field away.
"""
_ANSWERS = """
## Answers

Times are `datetime` with a zone, amounts `Decimal`. A field with a `?` is None where the server does not tell it. What
a newer server adds are attributes too; `answer["tag:env"]`, `get`, `keys` and `to_dict()` reach all of it.
"""
_EXCEPTIONS = """
## Exceptions

All are in `llm_cost_ops.exceptions`, and each is a kind of the one further left.
"""


def page() -> str:
    """The whole page."""
    used = [_BEGINNING, *_names(), _METHODS, *_resources(), _FIELDS, *_fields()]
    parts = [*used, _ANSWERS, *_answers(), _EXCEPTIONS]
    text = "\n".join([*parts, *_tree(exceptions.CostOpsError, 0)])
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def _names() -> Iterator[str]:
    for name in sorted(set(llm_cost_ops.__all__) - {"__version__"}):
        value = getattr(llm_cost_ops, name)
        yield from _entry(f"{name}{_signature(value)}", value)
        if name in {"CostOpsClient", "AsyncCostOpsClient"}:
            for method, about in _methods(value):
                if method not in vars(Surface):
                    yield from _entry(f".{method}{_signature(about)}", about, indent="  ")


def _resources() -> Iterator[str]:
    for name, prop in vars(Surface).items():
        if not isinstance(prop, property):
            continue
        yield f"\n### `client.{name}`\n\n{_first(prop)}\n"
        client = object.__new__(llm_cost_ops.CostOpsClient)
        client.__dict__["_caller"] = None
        for method, about in _methods(type(getattr(client, name))):
            if method != "with_raw_response":
                yield from _entry(f"{name}.{method}{_signature(about)}", about)


def _fields() -> Iterator[str]:
    for name, kind in vars(fields).items():
        if isinstance(kind, type) and hasattr(kind, "__total__"):
            yield from _wrapped(f"- **{name}**: {', '.join(f'`{field}`' for field in sorted(kind.__annotations__))}")


def _answers() -> Iterator[str]:
    for module in _modules(models):
        kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Model)]
        mine = [kind for kind in kinds if kind.__module__ == module.__name__ and kind is not Model]
        if mine:
            yield f"\n### `{module.__name__}`\n\n{_first(module)}\n"
        for kind in mine:
            shown = ", ".join(f"`{name}`{_hint(hint)}" for name, hint in inspect.get_annotations(kind).items())
            above = f" Beside those of {kind.__mro__[1].__name__}:" if kind.__mro__[1] is not Model else ""
            yield from _wrapped(f"- **{kind.__name__}**: {_first(kind)}{above} {shown}".rstrip())


def _tree(kind: type, depth: int) -> Iterator[str]:
    yield from _wrapped(f"{'  ' * depth}- `{kind.__name__}`: {_first(kind)}")
    for below in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
        if below.__module__ == exceptions.__name__:
            yield from _tree(below, depth + 1)


def _methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name, value in inspect.getmembers(kind):
        if not name.startswith("_") and (callable(value) or isinstance(value, property)):
            yield name, value


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{info.name}")


def _entry(shown: str, value: Any, indent: str = "") -> Iterator[str]:
    yield from _wrapped(f"{indent}- `{shown}`: {_first(value)}")


def _first(value: Any) -> str:
    """The first paragraph of what something says of itself."""
    text = inspect.getdoc(value) or ""
    return " ".join(text.split("\n\n")[0].split())


def _hint(hint: Any) -> str:
    return "?" if str(hint).startswith("Optional") else ""


def _signature(value: Any) -> str:
    """Its parameters as they are written, without types."""
    if isinstance(value, property) or not callable(value) or _is_exception(value):
        return ""
    shown, star = [], False
    for one in inspect.signature(value).parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and not star:
            shown.append("*")
        star = star or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        default = "" if one.default is one.empty else f"={_shown(one.default)}"
        shown.append(f"{one.name}{default}" if one.kind is not one.VAR_KEYWORD else f"**{_unpacked(one)}")
        shown[-1] = f"*{shown[-1]}" if one.kind is one.VAR_POSITIONAL else shown[-1]
    return f"({', '.join(shown)})"


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _shown(default: Any) -> str:
    return repr(default) if isinstance(default, (str, int, float, bool, tuple, type(None))) else "…"


def _unpacked(one: inspect.Parameter) -> str:
    hint = one.annotation.__forward_arg__ if isinstance(one.annotation, ForwardRef) else str(one.annotation)
    found = re.fullmatch(r"Unpack\[(\w+)\]", hint)
    return found[1] if found else one.name


def _wrapped(text: str) -> Iterator[str]:
    """Lines of a list's entry that are not too long."""
    indent = " " * (len(text) - len(text.lstrip()))
    line = ""
    for word in text.strip().split(" "):
        if line and len(indent) + len(line) + 1 + len(word) > _WIDTH:
            yield indent + line
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    yield indent + line


def main() -> int:
    """Write, or check."""
    made = page()
    if PAGE.exists() and PAGE.read_text("utf-8") == made:
        return 0
    if "--check" in sys.argv:
        sys.stderr.write(f"docs/reference/{PAGE.name} is not what the package says: run {Path(__file__).name}\n")
        return 1
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
