"""What a change changed, as the audit trail keeps it: the fields that differ, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def before_after(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """`before` and `after` with the fields that differ; all of one where the other is None.

    >>> before_after({"name": "a", "role": "viewer"}, {"name": "a", "role": "admin"})
    {'before': {'role': 'viewer'}, 'after': {'role': 'admin'}}
    """
    if before is None or after is None:
        return {name: dict(form) for name, form in (("before", before), ("after", after)) if form is not None}
    differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {
        "before": {name: before.get(name) for name in differing},
        "after": {name: after.get(name) for name in differing},
    }
