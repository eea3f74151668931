"""The operations of the OpenAPI document, and where a request of each has room for somebody's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cost_ops.api.openapi import document

Place = tuple[str | int, ...]
"""Where in a body: names of objects, 0 for the items of a list."""


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    described: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def protected(self) -> bool:
        return bool(self.described["security"])

    @property
    def reads(self) -> bool:
        """Whether it changes nothing by its nature."""
        asks = self.path.endswith(("/costs/query", "/costs/breakdown", "/costs/estimate"))
        return self.method in ("GET", "HEAD") or asks

    def names(self, where: str) -> list[str]:
        """The parameters in the path, the query or the headers."""
        return [p["name"] for p in self.described["parameters"] if p["in"] == where]

    def free(self, where: str) -> list[str]:
        """The parameters that take any text."""
        parameters = [p for p in self.described["parameters"] if p["in"] == where]
        return [p["name"] for p in parameters if _takes_text(p["schema"])]

    @property
    def example(self) -> Any:
        """The first example of a JSON body; None where the operation has no body."""
        found = self.described.get("requestBody")
        if found is None:
            return None
        return next(iter(found["content"]["application/json"]["examples"].values()))["value"]

    def places(self) -> Iterator[tuple[Place, str]]:
        """Each place in a JSON body that takes a text: (place, `text` or `texts`)."""
        found = self.described.get("requestBody")
        if found is not None:
            yield from _places(found["content"]["application/json"]["schema"], (), 0)


def operations() -> list[Operation]:
    """All of them: those that only look come first, those that end something last."""
    found = [
        Operation(method.upper(), path, described)
        for path, methods in document()["paths"].items()
        for method, described in methods.items()
    ]
    return sorted(found, key=lambda o: (not o.reads, o.method == "DELETE"))


def resolved(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with its references and `allOf` put in place."""
    if "$ref" in schema:
        return resolved(document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    out = dict(schema)
    for part in map(resolved, out.pop("allOf", ())):
        properties = {**part.get("properties", {}), **out.get("properties", {})}
        out = {**part, **out, **({"properties": properties} if properties else {})}
    return out


def _types(schema: Mapping[str, Any]) -> set[str]:
    found = schema.get("type", ())
    alternatives = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    own = {found} if isinstance(found, str) else set(found)
    return own.union(*(_types(resolved(s)) for s in alternatives))


def _takes_text(schema: Mapping[str, Any]) -> bool:
    plain = resolved(schema)
    if "array" in _types(plain) and "items" in plain:
        return _takes_text(plain["items"])
    free = not plain.keys() & {"enum", "const"} and plain.get("format") in (None, "email")
    return free and ("string" in _types(plain) or not _types(plain))


def _places(schema: Mapping[str, Any], at: Place, depth: int) -> Iterator[tuple[Place, str]]:
    plain = resolved(schema)
    if depth > 4:
        return
    for name, inner in plain.get("properties", {}).items():
        found = resolved(inner)
        if _takes_text(found) and "array" not in _types(found):
            yield (*at, name), "text"
        if "items" in found:
            if _takes_text(found["items"]):
                yield (*at, name), "texts"
            yield from _places(found["items"], (*at, name, 0), depth + 1)
        if "properties" in found:
            yield from _places(found, (*at, name), depth + 1)
