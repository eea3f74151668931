"""What comes back, made comparable between two installations; and the victim's texts, which must not be in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.isolation.cases import Request
from tests.isolation.rows import INSTALLATION, Snapshot
from tests.isolation.worlds import World

SHORTEST = 6
"""Characters that a text needs to be the victim's and nobody else's."""

_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\b(?:price|contract|review)-\d+(?:\+contract)?"
    r"|sk_[a-z]+_[0-9A-Za-z_]+|\bkey[_ ][0-9a-z]{8}\b|/costs/reprice/\d+|/auth/keys/[0-9a-z]{8}\b|\b(?:policy|budget)-[0-9a-f]{12}\b"
    r"|\b(?:usr|ses|wh|ch|lease)_[0-9a-z]{16}\b|\bdlv_[0-9a-f]{20}\b"
)
_BARE_KEY = re.compile(r"[0-9a-z]{8}\Z")
_VARYING = frozenset({"request_id", "next_cursor", "number", "key", "sequence", "hash", "previous_hash", "head"}) | {
    "access_token",
    "refresh_token",
    "csrf_token",
    "secret",
    "duration_ms",
    "kid",
}
"""Fields that differ between two installations by their nature; only whether they are there is compared."""

_UNCOMPARED = frozenset({"x-request-id", "date", "server", "content-length", "x-ratelimit-reset"})


@dataclass(frozen=True)
class Answer:
    """What a request came to."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def everything(self) -> str:
        """All that a caller gets to see."""
        return "\n".join([*(f"{name}: {value}" for name, value in self.headers.items()), self.text])


def send(world: World, request: Request, credential: str | None) -> Answer:
    """One request."""
    headers = dict(request.headers)
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    more: dict[str, Any] = {} if request.body is None else {"json": request.body}
    found = world.server.client.request(
        request.method,
        world.server.url + request.path,
        params=list(request.query),
        headers=headers,
        **more,
    )
    return Answer(found.status_code, dict(found.headers), found.text)


def comparable(answer: Answer) -> Any:
    """An answer without what differs between any two installations: ids, cursors, hashes."""
    headers = {name: _masked(value) for name, value in answer.headers.items() if name not in _UNCOMPARED}
    lines = []
    for line in answer.text.splitlines():
        try:
            lines.append(_masked(json.loads(line)))
        except ValueError:
            lines.append(_masked(line))
    return answer.status, headers, lines


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: ("*" if item is not None else None) if name in _VARYING else _masked(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, str):
        return "*" if _BARE_KEY.match(value) else _ID.sub("*", value)
    return value


def difference(one: Any, other: Any, at: str = "") -> str | None:
    """Where two comparable values first differ; None where they do not."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(f"{at}.{name}", one[name], other[name]) for name in one]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = [(f"{at}[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        return None if one == other else f"{at}: {one!r:.300} with it, {other!r:.300} without"
    return next((found for where, a, b in pairs if (found := difference(a, b, where))), None)


def canaries(world: World, stored: Snapshot, without: Snapshot) -> frozenset[str]:
    """The victim's texts and large numbers, in its rows and in what it is told, that nobody else has."""
    theirs = {world.victim.organization_id}
    ours = {INSTALLATION} | (world.tenants.keys() - theirs)
    known = {text for table in (stored, without) for text in _texts(table, ours)}
    found = _texts(stored, theirs) | {i for ids in world.victim.things.values() for i in ids}
    found |= {*world.victim.credentials.values(), *world.victim.people.values()}
    return frozenset(text for text in found - known - world.victim.shared if len(text) >= SHORTEST)


def _texts(stored: Snapshot, owners: Iterable[str]) -> set[str]:
    """The words in the rows of some owners."""
    wanted = set(owners)
    return {
        word
        for rows in stored.values()
        for owner, row in rows
        if owner in wanted
        for value in row
        for word in _words(value)
    }


def _words(value: str) -> Iterator[str]:
    yield from re.findall(r"[A-Za-z0-9][A-Za-z0-9._:@+-]*[A-Za-z0-9]", value)


def told(answer: Answer, request: Request, secrets: frozenset[str], elsewhere: str) -> list[str]:
    """The victim's texts in an answer that neither the request nor the other installation's answer holds."""
    seen = answer.everything
    return [s for s in secrets if s in seen and s not in request.text and s not in elsewhere]
