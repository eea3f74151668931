"""What tokens say, and what is not believed though it be signed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.claims import LEEWAY, TokenKind, claims_of, read_claims, verifies
from cost_ops.domain.errors import Unauthorized
from cost_ops.domain.sessions import ACCESS_TOKEN_TIME, SESSION_TIME, Session, SessionKind, SigningKey

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SESSION = Session("ses_1", "usr_1", "org-123", SessionKind.TOKENS, 3, None, NOW, NOW + SESSION_TIME)
ACCESS, REFRESH = TokenKind.ACCESS, TokenKind.REFRESH


@pytest.mark.parametrize("kind", TokenKind)
def test_a_token_says_what_was_written(kind: TokenKind) -> None:
    found = read_claims(claims_of(SESSION, kind, NOW, "tok_1"), kind, NOW)
    assert (found.user_id, found.organization_id, found.session_id) == ("usr_1", "org-123", "ses_1")
    assert found.generation == (3 if kind is REFRESH else 0)
    assert found.expires_at == NOW + (SESSION_TIME if kind is REFRESH else ACCESS_TOKEN_TIME)


def test_an_access_token_never_outlives_its_session() -> None:
    late = SESSION.expires_at - timedelta(minutes=1)
    assert read_claims(claims_of(SESSION, ACCESS, late, "tok_1"), ACCESS, late).expires_at == SESSION.expires_at


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody-else"},
        {"aud": "cost-ops-refresh"},
        {"aud": ["cost-ops-api"]},
        {"aud": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 129},
        {"org": None},
        {"sid": ["ses_1"]},
        {"jti": None},
        {"exp": "1800000000"},
        {"exp": 1e12},
        {"exp": True},
        {"exp": -1},
        {"exp": 2**60},
        {"iat": None},
        {"nbf": 1.5},
    ],
    ids=str,
)
def test_a_claim_that_is_missing_foreign_or_misshapen_is_refused(change: dict[str, Any]) -> None:
    claims = {**claims_of(SESSION, ACCESS, NOW, "tok_1"), **change}
    with pytest.raises(Unauthorized):
        read_claims(claims, ACCESS, NOW)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "org", "sid", "iat", "nbf", "exp", "jti"])
def test_no_claim_may_be_left_out(name: str) -> None:
    claims = claims_of(SESSION, ACCESS, NOW, "tok_1")
    del claims[name]
    with pytest.raises(Unauthorized):
        read_claims(claims, ACCESS, NOW)


def test_a_token_holds_from_its_birth_to_its_end_and_not_at_its_end() -> None:
    claims = claims_of(SESSION, ACCESS, NOW, "tok_1")
    end = NOW + ACCESS_TOKEN_TIME
    for at in (NOW - LEEWAY, NOW, end - timedelta(microseconds=1)):
        assert read_claims(claims, ACCESS, at).expires_at == end
    for at in (NOW - LEEWAY - timedelta(seconds=1), end, end + timedelta(days=400)):
        with pytest.raises(Unauthorized):
            read_claims(claims, ACCESS, at)


def test_a_token_that_is_not_yet_valid_is_refused() -> None:
    claims = {**claims_of(SESSION, ACCESS, NOW, "tok_1"), "nbf": int(NOW.timestamp()) + 60}
    with pytest.raises(Unauthorized):
        read_claims(claims, ACCESS, NOW)
    assert read_claims(claims, ACCESS, NOW + timedelta(minutes=2)).user_id == "usr_1"


def test_a_token_of_one_kind_is_none_of_the_other() -> None:
    for kind, other in ((ACCESS, REFRESH), (REFRESH, ACCESS)):
        with pytest.raises(Unauthorized):
            read_claims(claims_of(SESSION, kind, NOW, "tok_1"), other, NOW)


@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "org", "sid", "iat", "nbf", "exp", "jti", "gen"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_whatever_a_token_says_it_is_believed_or_refused(change: dict[str, Any]) -> None:
    claims = {**claims_of(SESSION, REFRESH, NOW, "tok_1"), **change}
    try:
        found = read_claims(claims, REFRESH, NOW)
    except Unauthorized:
        return
    assert claims["iss"] == "cost-ops"
    assert found.expires_at > NOW


def test_a_retired_key_verifies_until_the_last_of_its_tokens_is_over() -> None:
    key = SigningKey("key_1", b"x" * 32, NOW - timedelta(days=9), NOW)
    assert verifies(key, ACCESS, NOW + ACCESS_TOKEN_TIME)
    assert not verifies(key, ACCESS, NOW + ACCESS_TOKEN_TIME + LEEWAY)
    assert verifies(key, REFRESH, NOW + SESSION_TIME)
    assert not verifies(key, REFRESH, NOW + SESSION_TIME + LEEWAY)
