"""Argon2id, with the parameters that are used and with the least there are."""

import threading

import pytest

from cost_ops.credentials.passwords import AT_ONCE, CHEAP, MOST_WAITING, STRONG, Argon2Parameters, Argon2Passwords
from cost_ops.domain.errors import Unavailable


def test_the_parameters_are_at_least_what_owasp_asks_for() -> None:
    assert STRONG.memory_kib >= 19 * 1024
    assert STRONG.time_cost >= 2
    hasher = Argon2Passwords()
    stored = hasher.hash("a horse of a different colour")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert hasher.verify("a horse of a different colour", stored)
    assert not hasher.verify("a horse of a different color", stored)


def test_the_same_password_is_stored_differently_each_time() -> None:
    hasher = Argon2Passwords(CHEAP)
    assert hasher.hash("some password") != hasher.hash("some password")


@pytest.mark.parametrize(
    "stored", ["", "x", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", "$2b$12$abc", "\x00"]
)
def test_what_is_no_hash_of_ours_is_no_password(stored: str) -> None:
    assert not Argon2Passwords(CHEAP).verify("some password", stored)


@pytest.mark.parametrize("password", ["", "é" * 500, "\ud800", "\x00", "🐴" * 200])
def test_any_text_can_be_looked_at(password: str) -> None:
    hasher = Argon2Passwords(CHEAP)
    assert hasher.verify(password, hasher.hash(password))
    assert not hasher.verify(password + "x", hasher.hash(password))


def test_other_parameters_make_a_hash_outdated() -> None:
    old = Argon2Passwords(CHEAP).hash("some password")
    assert not Argon2Passwords(CHEAP).is_outdated(old)
    assert Argon2Passwords(Argon2Parameters(2, 8, 1)).is_outdated(old)
    assert Argon2Passwords(Argon2Parameters(2, 8, 1)).verify("some password", old)


class Gate:
    """Stands in for the slow work: counts who is inside, and holds them until it opens."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.lock = threading.Condition()
        self.open = False

    def hash(self, _password: bytes) -> str:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.open, 30)
            self.inside -= 1
        return "hash"


def test_few_hash_at_once_and_who_would_wait_long_is_told_to_come_again() -> None:
    hasher, gate = Argon2Passwords(CHEAP), Gate()
    hasher.__dict__["_hasher"] = gate
    threads = [threading.Thread(target=hasher.hash, args=("some password",)) for _ in range(AT_ONCE + MOST_WAITING)]
    for thread in threads:
        thread.start()
    with gate.lock:
        assert gate.lock.wait_for(lambda: gate.inside == AT_ONCE, 30)
    while hasher._waiting < AT_ONCE + MOST_WAITING:
        threading.Event().wait(0.01)
    with pytest.raises(Unavailable) as refused:
        hasher.hash("one too many")
    assert refused.value.retry_after > 0
    with gate.lock:
        gate.open = True
        gate.lock.notify_all()
    for thread in threads:
        thread.join()
    assert gate.most == AT_ONCE
    assert hasher.hash("again") == "hash"
