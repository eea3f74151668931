"""API keys as they are made: id, secret and the slow hash that is stored of it; and how one takes another's place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cost_ops.domain.access import ApiKey
from cost_ops.domain.errors import Conflict, InvalidInput, Problem, invalid
from cost_ops.domain.text import text_fault

PBKDF2_ROUNDS = 10_000
KINDS = ("live", "test", "admin")
MAX_PROJECTS = 200
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A stored key and its secret: the only time the whole key is seen."""

    key: ApiKey
    secret: str


def derive(secret: str, salt: bytes) -> bytes:
    """PBKDF2-HMAC-SHA256 of a key's secret part, 10,000 rounds: 4 to 14 ms, so remember what was verified."""
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, PBKDF2_ROUNDS)


def with_secret(key: ApiKey, random_bits: Callable[[int], int]) -> NewKey:
    """The key with an id, a secret and a salt of its own."""
    key_id, secret = _random_text(random_bits, 8).lower(), _random_text(random_bits, 43)
    salt = random_bits(128).to_bytes(16, "big")
    made = replace(key, key_id=key_id, salt=salt, secret_hash=derive(secret, salt))
    return NewKey(made, f"sk_{key.kind}_{key_id}_{secret}")


def _random_text(random_bits: Callable[[int], int], length: int) -> str:
    """Evenly random letters and digits; the bits beyond the length make the bias immeasurably small."""
    number = random_bits(length * 6 + 64)
    out = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        out.append(_ALPHABET[index])
    return "".join(out)


def check_projects(projects: Sequence[str], field: str = "projects") -> tuple[str, ...]:
    """Projects that a key is bound to, sorted, each once. Raises InvalidInput with every problem."""
    problems = []
    if len(projects) > MAX_PROJECTS:
        problems.append(Problem(field, "too_many", f"{field} holds {len(projects):,}; the limit is {MAX_PROJECTS}"))
    for project in projects[:MAX_PROJECTS]:
        if fault := text_fault(project) if project.strip() else ("empty", "must not be empty"):
            problems.append(Problem(field, fault[0], f"project {project[:40]!r} {fault[1]}"))
    if problems:
        raise InvalidInput(problems)
    return tuple(sorted(set(projects)))


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Raises InvalidInput for an end that has passed."""
    if expires_at is not None and expires_at <= now:
        raise invalid("expires_at", "in_the_past", "expires_at has passed; to turn a key off, revoke it")


def check_overlap(overlap: timedelta) -> None:
    """Raises InvalidInput for an overlap that is none."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise invalid("overlap_seconds", "out_of_range", f"an overlap is 0 to {LONGEST_OVERLAP.days} days")


def successor(old: ApiKey, now: datetime, expires_at: datetime | None) -> ApiKey:
    """The key that takes the place of one, with its grants, still without a secret.

    Without `expires_at` it lives as long as the old one was meant to. Raises Conflict for a key that is not in use.
    """
    if not old.usable_at(now) or old.replaced_by is not None:
        state = "replaced" if old.replaced_by else "revoked" if old.revoked_at else "expired"
        raise Conflict(f"the key key_{old.key_id} is {state}; only a key in use can be rotated")
    if expires_at is None and old.expires_at is not None:
        expires_at = now + (old.expires_at - old.created_at)
    return replace(old, created_at=now, expires_at=expires_at, last_used_at=None)


def retired(old: ApiKey, new_id: str, now: datetime, overlap: timedelta) -> ApiKey:
    """The old key of a rotation: it ends after the overlap, or now where that is nothing."""
    if not overlap:
        return replace(old, replaced_by=new_id, revoked_at=now)
    end = now + overlap
    return replace(old, replaced_by=new_id, expires_at=min(end, old.expires_at or end))


def described(key: ApiKey) -> dict[str, object]:
    """What can be changed of a key, for the audit trail."""
    return {
        "name": key.name,
        "permissions": sorted(key.permissions),
        "projects": list(key.projects),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "replaced_by": key.replaced_by,
    }
