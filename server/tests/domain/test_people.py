"""Addresses, passwords, and who is counted when somebody tries too often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.attempts import account_holder, address_holder
from cost_ops.domain.errors import InvalidInput
from cost_ops.domain.letters import link_of
from cost_ops.domain.random_text import random_identity, random_secret
from cost_ops.domain.users import check_password, check_password_size, normal_email


def reasons(error: InvalidInput) -> set[str]:
    return {problem.reason for problem in error.problems}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("ana@example.com", "ana@example.com"),
        ("  Ana.B+x@Example.COM ", "ana.b+x@example.com"),
        ("pasted@b.example\n", "pasted@b.example"),
        ("a@xn--mller-kva.example", "a@xn--mller-kva.example"),
        ("o'neil_1@sub.domain.example", "o'neil_1@sub.domain.example"),
    ],
)
def test_an_address_has_one_form(text: str, stored: str) -> None:
    assert normal_email(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "@b.example",
        "a@b",
        "a@@b.example",
        "a b@c.example",
        "a@b.example\x00",
        "a@b..example",
        ".a@b.example",
        "a.@b.example",
        "a@-b.example",
        "a@b.example.",
        "a@[127.0.0.1]",
        '"a"@b.example',
        f"{'a' * 65}@b.example",
        f"a@{'b' * 250}.example",
        "a@b.e",
        "a@b.1",
        "a,b@c.example",
        "a@b.example,c@d.example",
        "<a@b.example>",
        "a@b.example\r\nBcc: c@d.example",
    ],
    ids=repr,
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        normal_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "аna@example.com",
        "ana@exаmple.com",
        "anа@example.com",
        "ａna@example.com",
        "ana@example.com\u200b",
        "ana\u202e@example.com",
    ],
    ids=ascii,
)
def test_an_address_that_looks_like_another_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normal_email(text)
    assert reasons(refused.value) == {"not_ascii"}


@given(st.text())
def test_every_text_is_an_address_in_its_one_form_or_refused(text: str) -> None:
    try:
        found = normal_email(text)
    except InvalidInput:
        return
    assert found.isascii()
    assert normal_email(found) == found


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "päßwörter sind schön", "🐴🔋📎✅🐴🔋📎✅🦊🐙🦄🐝", "    a b c d e f    "],
)
def test_any_characters_make_a_password(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "too_short"),
        ("elevenchars", "too_short"),
        ("aaaaaaaaaaaaaaaa", "too_simple"),
        ("abcabcabcabcabc", "too_simple"),
        ("abcdefghijklmnop", "too_simple"),
        ("1234567890123456", "too_simple"),
        ("qwertyuiopasdfgh", "too_simple"),
        ("Password1234", "guessable"),
        ("cost-ops2026!", "guessable"),
        ("ana@example.com", "guessable"),
        ("iloveyou1234", "common"),
        ("Qwerty123456", "common"),
        ("nul\x00 in the middle", "invalid_characters"),
        ("half a \ud800 surrogate", "invalid_characters"),
    ],
)
def test_what_everybody_tries_first_is_no_password(password: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_password(password, about=("ana@example.com", "ana"))
    assert reason in reasons(refused.value)


@pytest.mark.parametrize("password", ["x" * 1_025, "é" * 513, "🐴" * 257, "x" * 1_000_000])
def test_a_password_has_an_end(password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_password_size(password)
    assert reasons(refused.value) == {"too_long"}
    assert password not in str(refused.value)


@given(st.text(max_size=2_000))
def test_every_text_is_a_password_or_refused_with_reasons(password: str) -> None:
    try:
        found = check_password(password)
    except InvalidInput as error:
        found = None
        faults = error.problems
    else:
        faults = ()
    assert (found == password) != bool(faults)


def test_of_addresses_the_customer_is_counted() -> None:
    assert address_holder("192.0.2.7") == "192.0.2.7"
    assert address_holder("::ffff:192.0.2.7") == "192.0.2.7"
    assert address_holder("2001:db8::1") == address_holder("2001:db8::ffff:1") != address_holder("2001:db8:0:1::1")
    assert address_holder(None) == address_holder("nonsense") == "unknown"


def test_counts_do_not_tell_addresses() -> None:
    assert "ana" not in account_holder("ana@example.com")
    assert account_holder("ana@example.com") != account_holder("ben@example.com")


def test_the_secret_of_a_link_is_in_its_fragment() -> None:
    assert link_of("https://costs.example.com/", "abc") == "https://costs.example.com/reset-password#token=abc"


@given(st.integers(min_value=0, max_value=2**400 - 1))
def test_random_texts_have_their_length_whatever_the_bits(bits: int) -> None:
    assert len(random_secret(lambda n: bits % 2**n)) == 43
    assert random_identity(lambda n: bits % 2**n, "usr").startswith("usr_")
    assert len(random_identity(lambda n: bits % 2**n, "usr")) == 20
