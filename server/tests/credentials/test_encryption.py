"""Secrets of channels at rest: sealed on both databases, and what happens when the master key changes."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from cost_ops.credentials.encryption import StoredKeyVault, master_key
from cost_ops.domain.errors import InvalidInput, Unavailable
from cost_ops.interfaces.storage import Storage
from tests.storage.builders import NOW
from tests.storage.conftest import database_url, sqlite_database, sqlite_template, storage  # noqa: F401 (fixtures)

ONE, TWO = b64encode(bytes(32)).decode(), b64encode(bytes(range(32))).decode()
SECRET = {"url": "https://hooks.slack.com/services/T0/B0/xyz", "n": 1, "name": "ü"}


def vault(kept: Storage, key: str = "") -> StoredKeyVault:
    return StoredKeyVault(kept, lambda: NOW, key)


def test_a_secret_comes_back_and_is_not_to_be_seen(storage: Storage) -> None:  # noqa: F811
    sealed = vault(storage, ONE).seal(SECRET, "ch_1")
    assert b"slack" not in sealed
    assert vault(storage, ONE).open(sealed, "ch_1") == SECRET
    assert vault(storage, ONE).seal(SECRET, "ch_1") != sealed  # a nonce of its own each time
    assert vault(storage, ONE).is_protected()
    with storage.installation() as installation:
        assert len(installation.data_keys.all()) == 1


def test_it_opens_nowhere_else_and_not_when_it_was_changed(storage: Storage) -> None:  # noqa: F811
    kept = vault(storage, ONE)
    sealed = kept.seal(SECRET, "ch_1")
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for stored, context in ((sealed, "ch_2"), (broken, "ch_1"), (sealed[:20], "ch_1"), (b"", "ch_1")):
        with pytest.raises(Unavailable):
            kept.open(stored, context)


def test_without_a_master_key_it_works_and_is_known_to_be_unprotected(storage: Storage) -> None:  # noqa: F811
    sealed = vault(storage).seal(SECRET, "ch_1")
    assert vault(storage).open(sealed, "ch_1") == SECRET
    assert not vault(storage).is_protected()


def test_a_master_key_that_is_set_later_protects_what_was_there(storage: Storage) -> None:  # noqa: F811
    before = vault(storage).seal(SECRET, "ch_1")
    after = vault(storage, ONE).seal(SECRET, "ch_2")
    assert vault(storage, ONE).is_protected()
    assert vault(storage, ONE).open(before, "ch_1") == SECRET
    assert before[1:9] == after[1:9]  # the same data key
    with pytest.raises(Unavailable, match=r"notifications\.secret_key is not set"):
        vault(storage).open(before, "ch_1")


def test_another_master_key_is_told_apart(storage: Storage) -> None:  # noqa: F811
    sealed = vault(storage, ONE).seal(SECRET, "ch_1")
    with pytest.raises(Unavailable, match=r"notifications\.secret_key is not the one"):
        vault(storage, TWO).open(sealed, "ch_1")
    with pytest.raises(Unavailable, match="is not the one"):
        vault(storage, TWO).is_protected()
    fresh = vault(storage, TWO).seal(SECRET, "ch_2")  # what is new has a data key of its own
    assert vault(storage, TWO).open(fresh, "ch_2") == SECRET
    assert vault(storage, ONE).open(sealed, "ch_1") == SECRET


def test_a_data_key_that_is_not_there_is_named(storage: Storage) -> None:  # noqa: F811
    sealed = vault(storage).seal(SECRET, "ch_1")
    with pytest.raises(Unavailable, match="ffffffffffffffff"):
        vault(storage).open(b"\x01" + b"\xff" * 8 + sealed[9:], "ch_1")


@pytest.mark.parametrize(
    "text", ["hunter2", "x" * 43, b64encode(bytes(31)).decode(), b64encode(bytes(33)).decode(), "ä"]
)
def test_a_master_key_that_is_none_is_refused_with_how_to_make_one(text: Any) -> None:
    with pytest.raises(InvalidInput, match="openssl rand -base64 32") as caught:
        master_key(text)
    assert "hunter2" not in str(caught.value)
    assert master_key("") is None
