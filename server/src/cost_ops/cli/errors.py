"""Errors as a user of the command line meets them: a message that says what to do, and an exit code."""

from __future__ import annotations

import traceback
from typing import Any

import rich_click as click

from cost_ops.domain.errors import (
    Conflict,
    CostOpsError,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
)

FAILURE, USAGE, AUTHENTICATION, API, DATABASE = 1, 2, 3, 4, 5
MAX_PROBLEMS = 50


class RemoteError(CostOpsError):
    """What a server answered instead of a result, or that it did not answer (`status` 0)."""

    def __init__(self, status: int, code: str, message: str, request_id: str | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.status = status
        self.code = code
        self.request_id = request_id


class Refused(CostOpsError):
    """A command that cannot do what was asked, for a reason of this machine; the message says what to do."""

    code = "FAILURE"


_EXIT_CODES: tuple[tuple[type[CostOpsError], int], ...] = (
    (Unauthorized, AUTHENTICATION),
    (Forbidden, AUTHENTICATION),
    (InvalidInput, USAGE),
    (Unavailable, DATABASE),
    (NotFound, FAILURE),
    (Conflict, FAILURE),
    (RateLimited, API),
)


def exit_code(error: Exception) -> int:
    """The exit code that stands for an error."""
    if isinstance(error, RemoteError):
        return AUTHENTICATION if error.status in (401, 403) else API
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), FAILURE)


def report(error: Exception, *, verbose: int = 0) -> int:
    """Tell the user on stderr; the exit code."""
    if verbose > 1 or not isinstance(error, CostOpsError | OSError):
        for line in traceback.format_exception(error):
            click.echo(line, err=True, nl=False)
    for line in explain(error):
        click.echo(line, err=True)
    return exit_code(error)


def explain(error: Exception) -> list[str]:
    """The lines that tell a user what went wrong and what to do."""
    if not isinstance(error, CostOpsError):
        if isinstance(error, OSError):
            return [f"Error: {error.strerror or error}" + (f": {error.filename}" if error.filename else "")]
        return [f"Error: {type(error).__name__}: {error}", "This is a fault of the program; please report it."]
    lines = [f"Error: {error.message}"]
    lines.extend(f"  - {message}" for message in _further_problems(error))
    if hint := _hint(error):
        lines.append(hint)
    if isinstance(error, RemoteError) and error.request_id:
        lines.append(f"The server's request id is {error.request_id}.")
    return lines


def _further_problems(error: CostOpsError) -> list[str]:
    """All problems but the first, which is the message itself."""
    if isinstance(error, InvalidInput):
        found = [p.message for p in error.problems[1:]]
    else:
        errors = error.details.get("errors")
        found = [str(e.get("message", e)) for e in errors[1:]] if isinstance(errors, list) else []
    more = len(found) - MAX_PROBLEMS
    return [*found[:MAX_PROBLEMS], f"… and {more} more"] if more > 0 else found


def _hint(error: CostOpsError) -> str | None:
    if isinstance(error, Forbidden) or (isinstance(error, RemoteError) and error.status == 403):
        return _lacking(error)
    if isinstance(error, RemoteError):
        return _HINTS.get(error.status)
    return _HINTS[401] if isinstance(error, Unauthorized) else None


def _lacking(error: CostOpsError) -> str:
    """What a refused credential lacks, as far as it was said, and how to see more."""
    permission, reason = error.details.get("required_permission"), error.details.get("reason")
    if permission is None:
        return "`cost-ops auth whoami` shows what this credential may do."
    why = f" ({reason})" if reason else ""
    return f"It takes the permission {permission}{why}; `cost-ops access explain {permission}` says what is missing."


_HINTS = {
    0: "Check --api-url (or COST_OPS_API_URL), and that the server is running: `cost-ops server`.",
    401: "Give a valid key with --api-key or COST_OPS_API_KEY, or log in with `cost-ops auth login`.",
    429: "The rate limit is reached; wait, or send fewer and larger batches.",
}
