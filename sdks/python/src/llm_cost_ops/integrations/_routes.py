"""The template of the route that a request took: `/tenants/{tenant}/users/{id}` for `/tenants/7/users/42`.

The router leaves the route in the request's scope, but in a mounted application or an included router only its own end
of the path. What stands before it is read from the path itself, with the values of parameters taken out again: a value
never becomes a part of the template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

_PARAMETER = re.compile(r"\{([a-zA-Z_]\w*)(?::\w+)?\}")


def own_path(scope: Mapping[str, Any]) -> str:
    """The path of a request that has just arrived, without what stands before the application (`root_path`)."""
    path, root = str(scope.get("path", "")), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def template_of(scope: Mapping[str, Any], path: str) -> Optional[str]:
    """The template for a path; None where the request was not routed yet, or not by a router that tells."""
    route = scope.get("route")
    told: Any = getattr(route, "path_format", None) or getattr(route, "path", None)
    if not isinstance(told, str):
        return None
    end = _PARAMETER.sub(r"{\1}", told)
    parameters = dict(scope.get("path_params") or {})
    before = _before(path, end, parameters)
    if before is None:
        return end or None
    inner = set(_PARAMETER.findall(end))
    return _without_values(before, {name: value for name, value in parameters.items() if name not in inner}) + end


def _before(path: str, end: str, parameters: Mapping[str, Any]) -> Optional[str]:
    """What stands in the path before the route's own end of it; None where that is not its end."""
    # The texts between the names stand for themselves, a name for a segment, or for several.
    pattern = "".join(
        (".*" if "/" in str(parameters.get(text, "/")) else "[^/]+") if at % 2 else re.escape(text)
        for at, text in enumerate(_PARAMETER.split(end))
    )
    found = re.fullmatch(f"(?P<before>.*?){pattern}", path, re.DOTALL)
    if found is None:
        return None
    before: str = found["before"]
    return before


def _without_values(before: str, parameters: Mapping[str, Any]) -> str:
    for name, value in parameters.items():
        if "/" in str(value):
            before = before.replace(f"/{str(value).strip('/')}", f"/{{{name}}}")
    segments = before.split("/")
    return "/".join(next((f"{{{n}}}" for n, v in parameters.items() if _same(s, v)), s) for s in segments)


def _same(segment: str, value: Any) -> bool:
    """Whether a segment of a path was read as this value: `042` as the number 42."""
    if segment == str(value):
        return True
    try:
        return bool(segment) and not isinstance(value, str) and type(value)(segment) == value
    except (TypeError, ValueError, ArithmeticError):
        return False
