"""What a token says is believed only in its time, for its purpose, and whole."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cost_ops.domain.claims import LEEWAY, TokenKind, claims_of, read_claims, verifies
from cost_ops.domain.errors import Unauthorized
from cost_ops.domain.sessions import ACCESS_TOKEN_TIME, SESSION_TIME, Session, SessionKind, SigningKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSION = Session("ses_1", "usr_1", "org-1", SessionKind.TOKENS, 3, None, NOW, NOW + SESSION_TIME)
SECOND = timedelta(seconds=1)


def claims(kind: TokenKind = TokenKind.ACCESS, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**claims_of(SESSION, kind, NOW, "tok_1"), **(changes or {})}


def seconds(instant: datetime) -> int:
    return int(instant.timestamp())


@pytest.mark.parametrize("kind", TokenKind)
def test_what_was_written_is_read(kind: TokenKind):
    found = read_claims(claims(kind), kind, NOW)
    assert (found.user_id, found.organization_id, found.session_id) == ("usr_1", "org-1", "ses_1")
    assert found.generation == (3 if kind is TokenKind.REFRESH else 0)


def test_a_token_is_good_until_its_end_and_not_an_instant_longer():
    last = NOW + ACCESS_TOKEN_TIME
    assert read_claims(claims(), TokenKind.ACCESS, last - SECOND).expires_at == last
    with pytest.raises(Unauthorized):
        read_claims(claims(), TokenKind.ACCESS, last)


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_of_the_future_is_not_good_yet(name: str):
    just_in_time = claims(changes={name: seconds(NOW + LEEWAY)})
    assert read_claims(just_in_time, TokenKind.ACCESS, NOW).session_id == "ses_1"
    with pytest.raises(Unauthorized):
        read_claims(claims(changes={name: seconds(NOW + LEEWAY + SECOND)}), TokenKind.ACCESS, NOW)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "org", "sid", "jti", "iat", "nbf", "exp", "gen"])
@pytest.mark.parametrize("value", [None, "", 1.5, True, -1, 2**40, ["cost-ops-api"], {"a": 1}, "x" * 200, "nobody"])
def test_a_claim_of_another_form_is_no_claim(name: str, value: Any):
    if isinstance(value, str) and value == "nobody" and name in {"sub", "org", "sid", "jti"}:
        value = 7
    with pytest.raises(Unauthorized):
        read_claims(claims(TokenKind.REFRESH, {name: value}), TokenKind.REFRESH, NOW)


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "org", "sid", "jti", "iat", "nbf", "exp"])
def test_a_claim_that_is_missing_is_missed(name: str):
    without = {key: value for key, value in claims().items() if key != name}
    with pytest.raises(Unauthorized):
        read_claims(without, TokenKind.ACCESS, NOW)


@pytest.mark.parametrize("kind", TokenKind)
def test_a_token_of_another_kind_is_none(kind: TokenKind):
    other = next(one for one in TokenKind if one is not kind)
    with pytest.raises(Unauthorized):
        read_claims(claims(kind), other, NOW)


def test_an_access_token_never_outlives_its_session():
    ending = Session("ses_1", "usr_1", "org-1", SessionKind.TOKENS, 1, None, NOW, NOW + SECOND)
    assert claims_of(ending, TokenKind.ACCESS, NOW, "tok_1")["exp"] == seconds(NOW + SECOND)


def test_a_retired_key_verifies_until_the_last_of_its_tokens_is_over():
    key = SigningKey("key_1", b"x" * 32, NOW, retired_at=NOW)
    for kind, longest in ((TokenKind.ACCESS, ACCESS_TOKEN_TIME), (TokenKind.REFRESH, SESSION_TIME)):
        assert verifies(key, kind, NOW + longest)
        assert not verifies(key, kind, NOW + longest + LEEWAY)
