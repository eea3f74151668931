"""A policy from the options of a command, or from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import rich_click as click

from cost_ops.cli.access_backend import names
from cost_ops.cli.prices import utc_instant
from cost_ops.domain.errors import invalid
from cost_ops.domain.periods import format_instant


def policy_from_file(content: bytes) -> dict[str, Any]:
    """The fields of a policy in JSON. Raises InvalidInput."""
    try:
        found = json.loads(content)
    except ValueError as error:
        raise invalid("file", "invalid_json", f"the file is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise invalid("file", "invalid_type", "the file must hold a JSON object: the fields of a policy")
    return {name: value for name, value in found.items() if name not in ("policy_id", "id", "created_at")}


def policy_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The API's fields of a policy from the command's options."""
    if (given["allow"] is None) == (given["deny"] is None):
        raise click.UsageError("give either --allow or --deny, with the permissions that it is about")
    fields: dict[str, Any] = {
        "name": given["name"],
        "effect": "allow" if given["deny"] is None else "deny",
        "actions": names(given["allow"] if given["deny"] is None else given["deny"]),
        "conditions": _conditions(given),
    }
    if given["subjects"] is not None:
        fields["subjects"] = names(given["subjects"])
    return fields


def _conditions(given: Mapping[str, Any]) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    for option, name in (("projects", "projects"), ("addresses", "addresses")):
        if given[option]:
            conditions[name] = list(given[option])
    if given["tags"]:
        conditions["tags"] = _tags(given["tags"])
    for option, name in (("start", "not_before"), ("end", "not_after")):
        if (instant := utc_instant(given[option], option)) is not None:
            conditions[name] = format_instant(instant)
    if given["hours"] is not None:
        conditions["hours"] = _hours(given)
    elif given["weekdays"] is not None or given["timezone"] is not None:
        raise click.UsageError("--weekdays and --timezone go with --hours")
    return conditions


def _tags(texts: tuple[str, ...]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark or not key or not value:
            raise click.BadParameter(f"a tag is KEY=VALUE, got {text[:40]!r}", param_hint="'--tag'")
        tags.setdefault(key, []).append(value)
    return tags


def _hours(given: Mapping[str, Any]) -> dict[str, Any]:
    start, mark, end = given["hours"].partition("-")
    if not mark:
        raise click.BadParameter(
            f"hours are FROM-TO such as 09:00-18:00, got {given['hours'][:40]!r}", param_hint="'--hours'"
        )
    hours: dict[str, Any] = {"start": start.strip(), "end": end.strip()}
    if given["timezone"] is not None:
        hours["timezone"] = given["timezone"]
    if given["weekdays"] is not None:
        days = names(given["weekdays"]) or []
        if not all(day.isascii() and day.isdigit() for day in days):
            raise click.BadParameter("days are numbers from 1 (Monday) to 7", param_hint="'--weekdays'")
        hours["weekdays"] = [int(day) for day in days]
    return hours
