"""The OpenAPI 3.1 document, made from the same declarations that route and parse requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from cost_ops import __version__
from cost_ops.api.arrival import API_PATHS
from cost_ops.api.operations import Operation
from cost_ops.api.parameters import Parameter
from cost_ops.api.routes import OPERATIONS
from cost_ops.api.routes.ingest import NAMED
from cost_ops.api.schemas.errors import ErrorEnvelope

_REF = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"{(\w+)}")
_DESCRIPTIONS = {
    200: "Done",
    201: "Stored for good",
    202: "Begun; `Location` says where to look",
    400: "Something in the input is wrong; `details.errors` lists every problem",
    401: "Missing, malformed, unknown, expired or revoked credential",
    403: "The credential lacks a permission",
    404: "No such thing for this key",
    409: "It contradicts what is stored",
    413: "The body is over the limit",
    415: "The body is not JSON, or is packed in a way that is not taken",
    429: "Too many requests; `retry_after` says in how many seconds to come back",
    503: "Not possible now; nothing was written",
}
_HEADERS = {
    "X-API-Version": {"schema": {"type": "string", "const": "v1"}, "required": True},
    "X-Request-ID": {"schema": {"type": "string"}, "required": True},
}
_COUNT = {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}
_LIMIT_HEADERS = {
    "X-RateLimit-Limit": {"description": "requests in a window; 2147483647: any number", **_COUNT},
    "X-RateLimit-Remaining": {"description": "requests that are left in it", **_COUNT},
    "X-RateLimit-Reset": {"description": "when the next window begins, in Unix seconds", **_COUNT},
    "X-RateLimit-Window": {"description": "the window's length in seconds", **_COUNT},
}
_MORE_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": _COUNT},
    503: {"Retry-After": _COUNT},
}
_REQUEST_ID = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "your own id of the request: it comes back and stands in the server's log; one that is longer than "
    "128 characters, or not made of letters, digits and ._:/+=-, is replaced",
    "schema": {"type": "string"},
}


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        for method in operation.methods:
            paths.setdefault(operation.path, {})[method.lower()] = _operation(operation, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LLM Cost Ops",
            "version": __version__,
            "summary": "A self-hosted ledger for LLM spend: usage in, exact cost out, with a proof.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "a key, or a token"}},
        },
    }


def _structs() -> list[Any]:
    found: dict[Any, None] = {ErrorEnvelope: None, **dict.fromkeys(NAMED)}
    for operation in OPERATIONS:
        found |= dict.fromkeys(answer for answer in operation.answers.values() if isinstance(answer, type))
        if operation.body is not None and isinstance(operation.body.schema, type):
            found[operation.body.schema] = None
    return list(found)


def _schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_structs(), ref_template=_REF)
    return components


def _schema(of: Any) -> Any:
    return {"$ref": _REF.format(name=of.__name__)} if isinstance(of, type) else of


def _operation(operation: Operation, method: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": _operation_id(operation.path, method),
        "parameters": [*_parameters(operation)],
        "responses": _responses(operation, method),
        "security": [{"key": []}] if not operation.public else [],
    }
    if operation.permission is not None:
        out["description"] = f"Permission: `{operation.permission}`."
    if operation.body is not None:
        content: dict[str, Any] = {"schema": _schema(operation.body.schema)}
        if operation.body.examples:
            content["examples"] = {name: {"value": value} for name, value in operation.body.examples.items()}
        media = {"application/json": content, **operation.body.other_media}
        out["requestBody"] = {"required": True, "content": media}
    return out


def _operation_id(path: str, method: str) -> str:
    words = re.findall(r"\w+", path.removeprefix("/api/v1"))
    return "_".join([method.lower(), *words])


def _parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for name in _IN_PATH.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    for parameter in operation.parameters:
        yield _query_parameter(parameter)
    if operation.tag_filters:
        yield {
            "name": "tags",
            "in": "query",
            "description": "`tag.KEY=value`: only records with this tag; repeat it for any of several",
            "style": "form",
            "explode": True,
            "schema": {
                "type": "object",
                "propertyNames": {"pattern": "^tag\\.[A-Za-z0-9_-]+$"},
                "additionalProperties": {"type": "string", "pattern": "^[ -~]*$"},
            },
        }
    for name, description in operation.headers.items():
        schema = {"type": "string", "minLength": 1, "maxLength": 256}
        yield {"name": name, "in": "header", "description": description, "schema": schema}
    yield _REQUEST_ID


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema: Any = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    out = {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}
    return out | ({"required": True} if parameter.required else {})


def _responses(operation: Operation, method: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        out[str(status)] = _response(status, operation.media, None if method == "HEAD" else answer)
    for status in operation.errors:
        out[str(status)] = _response(status, "application/json", None if method == "HEAD" else ErrorEnvelope)
    if operation.path.startswith(API_PATHS):
        for response in out.values():
            response["headers"] |= _LIMIT_HEADERS
    return out


def _response(status: int, media: str, answer: Any) -> dict[str, Any]:
    out: dict[str, Any] = {
        "description": _DESCRIPTIONS[status],
        "headers": {**_HEADERS, **_MORE_HEADERS.get(status, {})},
    }
    if answer is not None:
        out["content"] = {media: {"schema": _schema(answer)}}
    elif media.startswith("text/"):
        out["content"] = {media: {"schema": {"type": "string"}}}
    return out
