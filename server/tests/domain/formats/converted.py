"""Values through a format, for tests."""

from collections.abc import Iterable
from typing import Any

from cost_ops.domain.formats.known import FORMATS
from cost_ops.domain.formats.reading import Told
from cost_ops.domain.records_file import Found, Item


def converted(form: str, values: Iterable[Any], told: Told | None = None) -> list[Found]:
    """What a format makes of values, which stand on lines of their own."""
    items = [Item(place, value) for place, value in enumerate(values, 1)]
    return list(FORMATS[form].convert(items, told or Told()))


def fields(form: str, *values: Any, told: Told | None = None) -> list[dict[str, Any]]:
    """The records among it; a fault fails the test."""
    found = converted(form, values, told)
    assert [f.problems for f in found if f.problems] == []
    return [f.fields for f in found if not f.skipped]


def skipped(form: str, *values: Any, told: Told | None = None) -> list[str]:
    """Why values were skipped."""
    return [f.skipped for f in converted(form, values, told) if f.skipped]
