"""Policies as documents: reading what someone wrote, with every problem named, and writing it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cost_ops.domain.access import ADMIN, PERMISSIONS
from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.domain.periods import format_instant, parse_instant
from cost_ops.domain.policies import Effect, Hours, Network, Policy, PolicyConditions, parse_minute, parse_network
from cost_ops.domain.scopes import EVERYTHING, Scope
from cost_ops.domain.text import MAX_TAG_KEY, text_fault

FIELDS = ("name", "effect", "subjects", "actions", "conditions")
CONDITION_FIELDS = ("projects", "tags", "hours", "not_before", "not_after", "addresses")
MAX_WORDS = 200
MINUTES_A_DAY = 24 * 60
_SUBJECTS = ("role", "user", "key")


def read_policy(document: Mapping[str, Any], *, policy_id: str, now: datetime) -> Policy:
    """A policy from its document. Raises InvalidInput with every problem."""
    problems: list[Problem] = []
    for field in map(str, document):
        if field not in FIELDS:
            problems.append(
                Problem(field[:60], "unknown_field", f"{field[:60]!r} is no field of a policy: {_all(FIELDS)}")
            )
    name: Any = document.get("name")
    if not isinstance(name, str) or not name:
        problems.append(Problem("name", "missing_required_field", "name is required"))
    elif fault := text_fault(name):
        problems.append(Problem("name", fault[0], f"name {fault[1]}"))
    effect = document.get("effect")
    if effect not in tuple(Effect):
        problems.append(Problem("effect", "invalid_value", "effect must be allow or deny"))
    subjects = _words("subjects", document.get("subjects"), problems, default=["*"])
    for subject in subjects:
        kind, _, rest = subject.partition(":")
        if subject != "*" and (kind not in _SUBJECTS or not rest):
            message = f"{subject[:60]!r} is no subject; write *, role:NAME, user:ID or key:ID"
            problems.append(Problem("subjects", "invalid_value", message))
    actions = _words("actions", document.get("actions"), problems, default=None)
    for action in actions:
        if action not in known_actions():
            message = f"{action[:60]!r} is no action; known are {_all(known_actions())}"
            problems.append(Problem("actions", "unknown_permission", message))
    given = document.get("conditions")
    conditions = read_conditions({} if given is None else given, problems)
    if len(conditions.data.only) > 1:
        message = "a policy can have a condition on projects or on one tag, not on several; make two policies"
        problems.append(Problem("conditions", "too_many", message))
    if ADMIN in actions:
        _check_admin(effect, conditions, problems)
    if problems:
        raise InvalidInput(problems)
    return Policy(policy_id, str(name), Effect(str(effect)), frozenset(subjects), frozenset(actions), conditions, now)


def _check_admin(effect: Any, conditions: PolicyConditions, problems: list[Problem]) -> None:
    if effect == Effect.ALLOW:
        message = f"{ADMIN} comes with the role admin only; a policy can deny it"
        problems.append(Problem("actions", "not_grantable", message))
    if not conditions.data.is_everything:
        message = f"{ADMIN} is not about usage: it takes no condition on projects or tags"
        problems.append(Problem("conditions", "invalid_value", message))


def known_actions() -> tuple[str, ...]:
    """What a policy can be about: every permission of an organisation, all of a noun, everything, or `admin:*`."""
    nouns = sorted({f"{p.partition(':')[0]}:*" for p in PERMISSIONS})
    return (*PERMISSIONS, *nouns, "*", ADMIN)


def policy_json(policy: Policy) -> dict[str, Any]:
    """A policy as the document that `read_policy` reads."""
    return {
        "name": policy.name,
        "effect": str(policy.effect),
        "subjects": sorted(policy.subjects),
        "actions": sorted(policy.actions),
        "conditions": dict(conditions_json(policy.conditions)),
    }


def parse_conditions(document: Mapping[str, Any]) -> PolicyConditions:
    """Conditions that were stored. Raises InvalidInput where they cannot be read: then nothing is decided by them."""
    problems: list[Problem] = []
    found = read_conditions(document, problems)
    if problems:
        raise InvalidInput(problems)
    return found


def read_conditions(document: Any, problems: list[Problem]) -> PolicyConditions:
    """Conditions from a document; what is wrong with it is added to `problems`."""
    if not isinstance(document, Mapping):
        problems.append(Problem("conditions", "invalid_type", "conditions must be an object"))
        return PolicyConditions()
    for name in document:
        if name not in CONDITION_FIELDS:
            message = f"{str(name)[:60]!r} is no condition; known are {_all(CONDITION_FIELDS)}"
            problems.append(Problem(f"conditions.{str(name)[:60]}", "unknown_field", message))
    start, end = _instant("not_before", document, problems), _instant("not_after", document, problems)
    if start is not None and end is not None and end <= start:
        message = "conditions.not_after must be after conditions.not_before: nothing lies between them"
        problems.append(Problem("conditions.not_after", "invalid_value", message))
    return PolicyConditions(
        _data(document, problems),
        _hours(document.get("hours"), problems),
        start,
        end,
        tuple(_networks(document.get("addresses"), problems)),
    )


def _data(document: Mapping[str, Any], problems: list[Problem]) -> Scope:
    only = []
    if document.get("projects") is not None:
        only.append(("project", frozenset(_words("conditions.projects", document["projects"], problems, default=None))))
    tags = document.get("tags")
    if tags is None:
        return Scope(tuple(only))
    if not isinstance(tags, Mapping) or not tags:
        message = "conditions.tags must be an object of tag to values, not empty"
        problems.append(Problem("conditions.tags", "invalid_type", message))
        return EVERYTHING
    for key, values in tags.items():
        given = [values] if isinstance(values, str) else values
        field = f"conditions.tags.{str(key)[:60]}"
        if fault := text_fault(str(key), MAX_TAG_KEY) if key else ("empty", "must not be empty"):
            problems.append(Problem(field, fault[0], f"the tag {str(key)[:40]!r} {fault[1]}"))
        only.append((f"tag:{key}", frozenset(_words(field, given, problems, default=None))))
    return Scope(tuple(sorted(only)))


def _hours(document: Any, problems: list[Problem]) -> Hours | None:
    if document is None:
        return None
    if not isinstance(document, Mapping) or set(document) - {"start", "end", "timezone", "weekdays"}:
        message = "conditions.hours must be an object with start, end, timezone and weekdays"
        problems.append(Problem("conditions.hours", "invalid_type", message))
        return None
    minutes = []
    for name, default in (("start", "00:00"), ("end", "24:00")):
        try:
            minutes.append(parse_minute(str(document.get(name) or default)))
        except ValueError:
            message = f"conditions.hours.{name} must be a time of day such as 09:00"
            problems.append(Problem(f"conditions.hours.{name}", "invalid_value", message))
    if minutes and minutes[0] == MINUTES_A_DAY:
        problems.append(Problem("conditions.hours.start", "invalid_value", "conditions.hours.start is 23:59 at most"))
    zone, weekdays = document.get("timezone") or "UTC", document.get("weekdays") or []
    if not _is_zone(zone):
        message = f"{str(zone)[:60]!r} is no IANA time zone"
        problems.append(Problem("conditions.hours.timezone", "invalid_value", message))
        return None
    if not isinstance(weekdays, list) or not all(type(d) is int and 1 <= d <= 7 for d in weekdays):
        message = "conditions.hours.weekdays must be a list of days from 1 (Monday) to 7"
        problems.append(Problem("conditions.hours.weekdays", "invalid_value", message))
        return None
    return Hours(minutes[0], minutes[1], zone, frozenset(weekdays)) if len(minutes) == 2 else None


def _is_zone(name: Any) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, TypeError):
        return False
    return True


def _instant(name: str, document: Mapping[str, Any], problems: list[Problem]) -> datetime | None:
    given = document.get(name)
    if given is None:
        return None
    try:
        return parse_instant(str(given), f"conditions.{name}")
    except InvalidInput as error:
        problems.extend(error.problems)
        return None


def _networks(given: Any, problems: list[Problem]) -> list[Network]:
    found = []
    for text in _words("conditions.addresses", given, problems, default=[]):
        try:
            found.append(parse_network(text))
        except ValueError:
            message = f"{text[:60]!r} is no address and no network such as 10.0.0.0/8"
            problems.append(Problem("conditions.addresses", "invalid_value", message))
    return found


def _words(field: str, given: Any, problems: list[Problem], *, default: Sequence[str] | None) -> list[str]:
    """A list of short texts that is not empty; `default` stands for what is not given."""
    if given is None and default is not None:
        return list(default)
    if not isinstance(given, list) or not given or not all(isinstance(word, str) and word for word in given):
        problems.append(Problem(field, "invalid_type", f"{field} must be a list of texts, not empty"))
        return []
    if len(given) > MAX_WORDS:
        problems.append(Problem(field, "too_many", f"{field} holds {len(given):,}; the limit is {MAX_WORDS}"))
        return []
    for word in given:
        if fault := text_fault(word):
            problems.append(Problem(field, fault[0], f"{field}: {word[:40]!r} {fault[1]}"))
    return given


def _all(words: Sequence[str]) -> str:
    return ", ".join(words)


def conditions_json(conditions: PolicyConditions) -> Mapping[str, Any]:
    """Conditions as the API has them: only what is stated."""
    out: dict[str, Any] = {}
    for dimension, values in conditions.data.only:
        if dimension == "project":
            out["projects"] = sorted(values)
        else:
            out.setdefault("tags", {})[dimension.removeprefix("tag:")] = sorted(values)
    if (hours := conditions.hours) is not None:
        out["hours"] = {
            "start": f"{hours.start_minute // 60:02}:{hours.start_minute % 60:02}",
            "end": f"{hours.end_minute // 60:02}:{hours.end_minute % 60:02}",
            "timezone": hours.zone,
            "weekdays": sorted(hours.weekdays),
        }
    for name in ("not_before", "not_after"):
        if (instant := getattr(conditions, name)) is not None:
            out[name] = format_instant(instant)
    if conditions.addresses:
        out["addresses"] = [str(network) for network in conditions.addresses]
    return out
