"""Passwords as Argon2id hashes, the memory-hard function that OWASP and RFC 9106 ask for."""

from __future__ import annotations

import threading
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cost_ops.domain.errors import Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 2
MOST_WAITING = 8
"""Beyond this many, callers are told to come again: each of them holds a thread that others need."""

_SALT_BYTES, _HASH_BYTES = 16, 32


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """How much work a hash is."""

    time_cost: int
    memory_kib: int
    parallelism: int


STRONG = Argon2Parameters(3, 65_536, 4)
"""RFC 9106's second choice, well above OWASP's least (2 passes over 19 MiB): about 0.2 s of work, 64 MiB."""

CHEAP = Argon2Parameters(1, 8, 1)
"""For tests only."""


class Argon2Passwords:
    """Hashes few passwords at once, as each takes memory and all of a core. The package is loaded at first use."""

    def __init__(self, parameters: Argon2Parameters = STRONG) -> None:
        self._parameters = parameters
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._waiting = 0

    def hash(self, password: str) -> str:
        """What is stored of a password: parameters, salt and hash in PHC form."""
        with self._in_turn():
            return self._hasher.hash(_bytes(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether a password is the stored one. With None it is not, after the same work."""
        from argon2.exceptions import InvalidHashError, VerificationError

        with self._in_turn():
            try:
                self._hasher.verify(stored or self._nobody, _bytes(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than one would be now."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        work = self._parameters
        return PasswordHasher(work.time_cost, work.memory_kib, work.parallelism, _HASH_BYTES, _SALT_BYTES)

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password has, with the parameters of all others."""
        work = self._parameters
        salt, hashed = (b64encode(bytes(size)).decode().rstrip("=") for size in (_SALT_BYTES, _HASH_BYTES))
        return f"$argon2id$v=19$m={work.memory_kib},t={work.time_cost},p={work.parallelism}${salt}${hashed}"

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._lock:
            if self._waiting >= AT_ONCE + MOST_WAITING:
                raise Unavailable("too many people log in at once; try again in a moment", retry_after=2)
            self._waiting += 1
        try:
            with self._turn:
                yield
        finally:
            with self._lock:
                self._waiting -= 1


def _bytes(password: str) -> bytes:
    """The same bytes however a keyboard composes its characters."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
