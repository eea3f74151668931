"""Shapes as they are written: JSON → `Shape`. Every fault of a shape is named; an unknown key is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.meters import METERS
from cost_ops.domain.shape_paths import Path, parse_path
from cost_ops.domain.shapes import Check, Count, Envelope, Items, Lookup, Money, Shape, Steps, Stream

_KEYS = {
    "shape": "id title source providers envelopes usage_at recognised counts checks items steps model_id response_id "
    "service_tier processing region money stream mentioned whole_floats number_texts "
    "own_fields_only notes like",
    "count": "at meter parts kinds less overlap_at decimal note rest_note",
    "check": "whole parts at_least need_all harmless",
    "lookup": "at values others",
    "money": "at currency divisor unless",
    "items": "at meter where distinct unless note",
    "steps": "at kind model served declined top_count top_kinds",
    "envelope": "at processing",
    "stream": "envelopes complete",
    "recognised": "all any none",
}
_LOOKUPS = ("model_id", "response_id", "service_tier", "processing", "region")


def read_shapes(raws: Iterable[Mapping[str, Any]]) -> list[Shape]:
    """The shapes that JSON objects describe; `like` names the one whose keys a shape has where it gives none itself.

    Raises InvalidInput.
    """
    by_id = {raw["id"]: raw for raw in raws}
    return [read_shape({**by_id[raw["like"]], **raw} if "like" in raw else raw) for raw in by_id.values()]


def read_shape(raw: Mapping[str, Any]) -> Shape:
    """The shape that a JSON object describes. Raises InvalidInput."""
    name = str(raw.get("id", "a shape"))
    try:
        return _shape(raw)
    except InvalidInput as error:
        raise InvalidInput([problem.at(name) for problem in error.problems]) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput([Problem(name, "invalid_shape", f"{name} is no usage shape: {error!r}")]) from error


def _known(raw: Mapping[str, Any], what: str) -> None:
    unknown = set(raw) - set(_KEYS[what].split())
    if unknown:
        message = f"{sorted(unknown)[0]!r} is not a key of a {what}"
        raise InvalidInput([Problem(what, "unknown_key", message)])


def _shape(raw: Mapping[str, Any]) -> Shape:
    _known(raw, "shape")
    recognised = raw["recognised"]
    _known(recognised, "recognised")
    counts = tuple(_count(item) for item in raw["counts"])
    checks = tuple(_check(item) for item in raw.get("checks", ()))
    items = tuple(_items(item) for item in raw.get("items", ()))
    steps = _steps(raw["steps"]) if "steps" in raw else None
    lookups = {name: tuple(_lookup(item) for item in raw.get(name, ())) for name in _LOOKUPS}
    money = tuple(_money(item) for item in raw.get("money", ()))
    mentioned = tuple((parse_path(path), note) for path, note in raw.get("mentioned", {}).items())
    all_of, any_of, none_of = (_paths(recognised.get(key, ())) for key in ("all", "any", "none"))
    if not all_of and not any_of:
        raise InvalidInput([Problem("recognised", "missing", "a shape must say what it is recognised by")])
    read = [*_count_paths(counts), *(p for c in checks for p in (c.whole, *c.parts)), *all_of, *any_of]
    read += [p for m in money for p in (m.path, *((m.unless,) if m.unless else ()))]
    read += [look.path for looks in lookups.values() for look in looks]
    read += [path for path, _ in mentioned]
    read += [steps.path] if steps is not None else []
    return Shape(
        id=raw["id"],
        title=raw["title"],
        source=raw["source"],
        providers=dict(raw["providers"]),
        envelopes=tuple(_envelope(item) for item in raw.get("envelopes", [{"at": ""}])),
        usage_at=_paths(raw.get("usage_at", ["usage"])),
        all_of=all_of,
        any_of=any_of,
        none_of=none_of,
        counts=counts,
        checks=checks,
        items=items,
        steps=steps,
        money=money,
        stream=_stream(raw["stream"]) if "stream" in raw else None,
        mentioned=mentioned,
        whole_floats=bool(raw.get("whole_floats", False)),
        number_texts=bool(raw.get("number_texts", False)),
        own_fields_only=bool(raw.get("own_fields_only", False)),
        notes=tuple(raw.get("notes", ())),
        read_paths=tuple(dict.fromkeys(path for path in read if not path.outer and path.steps)),
        outer_paths=tuple(dict.fromkeys(path for path in read if path.outer and path.plain)),
        **lookups,
    )


def _paths(texts: Iterable[str]) -> tuple[Path, ...]:
    return tuple(parse_path(text) for text in texts)


def _meter(raw: Mapping[str, Any]) -> str | None:
    meter = raw["meter"]
    if meter is not None and meter not in METERS:
        raise InvalidInput([Problem("meter", "unknown_meter", f"{meter!r} is not a meter")])
    return None if meter is None else str(meter)


def _count(raw: Mapping[str, Any]) -> Count:
    _known(raw, "count")
    at = raw["at"]
    return Count(
        paths=_paths([at] if isinstance(at, str) else at),
        meter=_meter(raw),
        parts=tuple(_count(item) for item in raw.get("parts", ())),
        kinds=tuple(_count(item) for item in raw.get("kinds", ())),
        less=parse_path(raw["less"]) if "less" in raw else None,
        overlap_at=parse_path(raw["overlap_at"]) if "overlap_at" in raw else None,
        decimal=bool(raw.get("decimal", False)),
        note=raw.get("note", ""),
        rest_note=raw.get("rest_note", ""),
    )


def _count_paths(counts: Iterable[Count]) -> Iterator[Path]:
    for count in counts:
        yield from count.paths
        if count.less is not None:
            yield count.less
        if count.overlap_at is not None:
            yield count.overlap_at
        yield from _count_paths((*count.parts, *count.kinds))


def _check(raw: Mapping[str, Any]) -> Check:
    _known(raw, "check")
    at_least = bool(raw.get("at_least", False))
    rule = f"{raw['whole']} {'≥' if at_least else '='} {' + '.join(raw['parts'])}"
    flags = {name: bool(raw.get(name, False)) for name in ("need_all", "harmless")}
    return Check(parse_path(raw["whole"]), _paths(raw["parts"]), rule, at_least=at_least, **flags)


def _lookup(raw: Mapping[str, Any] | str) -> Lookup:
    if isinstance(raw, str):
        return Lookup(parse_path(raw))
    _known(raw, "lookup")
    return Lookup(parse_path(raw["at"]), dict(raw.get("values", {})), bool(raw.get("others", True)))


def _money(raw: Mapping[str, Any]) -> Money:
    _known(raw, "money")
    unless = parse_path(raw["unless"]) if "unless" in raw else None
    return Money(parse_path(raw["at"]), raw["currency"], int(raw.get("divisor", 1)), unless)


def _items(raw: Mapping[str, Any]) -> Items:
    _known(raw, "items")
    where = tuple((parse_path(path), frozenset(values)) for path, values in raw.get("where", {}).items())
    distinct = parse_path(raw["distinct"]) if "distinct" in raw else None
    unless = parse_path(raw["unless"]) if "unless" in raw else None
    return Items(parse_path(raw["at"]), str(_meter(raw)), where, distinct, unless, raw.get("note", ""))


def _steps(raw: Mapping[str, Any]) -> Steps:
    _known(raw, "steps")
    top_count = parse_path(raw["top_count"]) if "top_count" in raw else None
    served, declined = raw.get("served", ""), raw.get("declined", "")
    kinds = frozenset(raw.get("top_kinds", ()))
    return Steps(parse_path(raw["at"]), raw["kind"], raw["model"], served, declined, top_count, kinds)


def _envelope(raw: Mapping[str, Any]) -> Envelope:
    _known(raw, "envelope")
    return Envelope(parse_path(raw["at"]), raw.get("processing"))


def _stream(raw: Mapping[str, Any]) -> Stream:
    _known(raw, "stream")
    complete = tuple((parse_path(path), frozenset(values)) for path, values in raw.get("complete", {}).items())
    return Stream(tuple(_envelope(item) for item in raw["envelopes"]), complete)
