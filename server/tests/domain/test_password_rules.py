"""What a password may be: long, anything at all, and nothing that everybody tries first."""

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.users import MAX_PASSWORD_BYTES, check_password


def reasons(password: str, *about: str) -> set[str]:
    try:
        check_password(password, about=about)
    except InvalidInput as error:
        return {problem.reason for problem in error.problems}
    return set()


@pytest.mark.parametrize(
    "password",
    [
        "seven boats under the bridge",
        "allinlowercaseletters",
        "839201746553",
        "🚤🚤 under the 橋 bridge",
        "            spaces count too",
        "k" + "9xQ!" * 16,
        "a horse of a different colour " * 30,
    ],
)
def test_any_characters_and_any_length_up_to_a_kilobyte_will_do(password: str):
    assert len(password) >= 12
    assert reasons(password) == set()
    assert check_password(password) == password


@pytest.mark.parametrize("password", ["", "short", "eleven char", "x" * 7])
def test_fewer_than_twelve_characters_are_too_few(password: str):
    assert "too_short" in reasons(password)


def test_more_than_a_kilobyte_is_refused_by_bytes_and_not_looked_at():
    assert reasons("ü" * (MAX_PASSWORD_BYTES // 2)) == {"too_simple"}
    assert reasons("ü" * (MAX_PASSWORD_BYTES // 2 + 1)) == {"too_long"}
    assert reasons("x" * 1_000_000) == {"too_long"}


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "123412341234",
        "abcdefghijklmn",
        "zyxwvutsrqponm",
        "qwertyuiopasdf",
        "QWERTYUIOPAS",
    ],
)
def test_repetitions_and_rows_of_keys_are_refused(password: str):
    assert "too_simple" in reasons(password)


@pytest.mark.parametrize(
    "password", ["ana.smith@example.com", "Ana.Smith1234", "cost-ops2026!", "password1234", "EXAMPLE-1234"]
)
def test_words_that_stand_for_the_owner_or_the_product_do_not_make_a_password(password: str):
    assert "guessable" in reasons(password, "ana.smith@example.com", "ana.smith", "example")


def test_such_a_word_may_be_part_of_a_long_password():
    assert reasons("ana.smith rows seven boats", "ana.smith@example.com", "ana.smith", "example") == set()


@pytest.mark.parametrize("password", ["seven boats\x00 under the bridge", "seven boats \ud800 under the bridge"])
def test_what_no_database_stores_is_refused(password: str):
    assert "invalid_characters" in reasons(password)
