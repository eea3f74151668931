"""People: their address, their password's form, and what they are in an organisation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cost_ops.domain.common_passwords import is_common
from cost_ops.domain.errors import InvalidInput, Problem, invalid

MAX_EMAIL = 254
MIN_PASSWORD = 12
MAX_PASSWORD_BYTES = 1024
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z"
)


@dataclass(frozen=True, slots=True)
class User:
    """A person of the installation. Without `password_hash` nobody can log in as them yet."""

    user_id: str
    email: str
    created_at: datetime
    password_hash: str | None = None
    password_changed_at: datetime | None = None
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person is in one organisation. `projects` and `teams` bind them to those; both empty: the whole of it.

    The name is the one that this organisation gave them: others never see it.
    """

    organization_id: str
    user_id: str
    email: str
    name: str
    role: str
    projects: tuple[str, ...]
    teams: tuple[str, ...]
    created_at: datetime
    created_by: str
    last_login_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """A group of people, to whom projects can belong."""

    team_id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Project:
    """A project that was declared; usage may name others. `team_id` says whose it is."""

    project_id: str
    name: str
    team_id: str | None
    created_at: datetime
    archived_at: datetime | None = None


def normal_email(text: str, field: str = "email") -> str:
    """An address as it is stored: ASCII in lower case, so that no two addresses look the same. Raises InvalidInput.

    An address of another script has an ASCII form (punycode) in which it is unmistakable.
    """
    given = text.strip()
    if not given.isascii():
        message = f"{field} must be in ASCII; write an international domain in its xn-- form"
        raise invalid(field, "not_ascii", message)
    lowered = given.lower()
    if len(lowered) > MAX_EMAIL or _EMAIL.match(lowered) is None or len(lowered.partition("@")[0]) > 64:
        raise invalid(field, "invalid_value", f"{field} must be an address such as ana@example.com; got {given[:80]!r}")
    return lowered


def check_password_size(password: str, field: str = "password") -> None:
    """Raises InvalidInput for a password that is too long to be looked at, whatever it is for."""
    if len(password) > MAX_PASSWORD_BYTES or len(password.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise invalid(field, "too_long", f"{field} must have at most {MAX_PASSWORD_BYTES} bytes")


def check_password(password: str, *, about: Sequence[str] = ()) -> str:
    """A password that may be set. Raises InvalidInput with every fault.

    12 characters at least, 1,024 bytes at most, any characters (spaces and emoji too), nothing that everybody tries
    first: the rules of OWASP ASVS 6.2. `about` are words that stand for its owner.
    """
    check_password_size(password)
    problems = []
    if len(password) < MIN_PASSWORD:
        message = f"password must have at least {MIN_PASSWORD} characters; a sentence is easy to remember"
        problems.append(Problem("password", "too_short", message))
    lowered = password.lower()
    if password and _is_simple(lowered):
        message = "password is a repetition or a sequence, which is what everybody tries first"
        problems.append(Problem("password", "too_simple", message))
    if is_common(password):
        message = "password is one of those that are tried first, with digits or signs after it"
        problems.append(Problem("password", "common", message))
    taken = [w for w in (*about, "cost-ops", "costops", "password") if len(w) >= 4 and w.lower() in lowered]
    if taken and len(lowered) - max(map(len, taken)) < MIN_PASSWORD // 2:
        message = "password consists mostly of a word that anyone would guess"
        problems.append(Problem("password", "guessable", message))
    if "\x00" in password or re.search("[\ud800-\udfff]", password):
        problems.append(Problem("password", "invalid_characters", "password holds a NUL or broken unicode"))
    if problems:
        raise InvalidInput(problems)
    return password


_SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
)


def _is_simple(lowered: str) -> bool:
    if len(set(lowered)) <= 3:
        return True
    for period in range(1, len(lowered) // 2 + 1):
        if lowered == (lowered[:period] * (len(lowered) // period + 1))[: len(lowered)] and period <= 4:
            return True
    return any(lowered in sequence or lowered in sequence[::-1] for sequence in _SEQUENCES)
