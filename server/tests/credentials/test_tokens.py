"""Signed tokens: our algorithm, our header, our key, and nothing else."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from cost_ops.credentials.tokens import JoseTokens, derive
from cost_ops.domain.claims import TokenKind
from cost_ops.domain.errors import Unauthorized
from cost_ops.domain.sessions import SigningKey

KEY = SigningKey("key_1", bytes(range(32)), datetime(2026, 1, 1, tzinfo=UTC))
OTHER = SigningKey("key_1", bytes(32), KEY.created_at)
SIGNER = JoseTokens("the installation's own secret")
CLAIMS = {"sub": "usr_1", "exp": 1_800_000_000}
ACCESS = TokenKind.ACCESS


def own_key(key: SigningKey = KEY) -> OctKey:
    return SIGNER._key(key)


def test_a_token_is_read_back_with_its_key_and_kind() -> None:
    token = SIGNER.sign(KEY, ACCESS, CLAIMS)
    assert SIGNER.key_of(token, ACCESS) == "key_1"
    assert SIGNER.verify(token, KEY, ACCESS) == CLAIMS
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "HS256", "kid": "key_1", "typ": "at+jwt"}


def test_another_key_secret_or_kind_does_not_verify() -> None:
    token = SIGNER.sign(KEY, ACCESS, CLAIMS)
    for signer, key, kind in (
        (SIGNER, OTHER, ACCESS),
        (JoseTokens(""), KEY, ACCESS),
        (SIGNER, KEY, TokenKind.REFRESH),
        (SIGNER, SigningKey("key_2", KEY.secret, KEY.created_at), ACCESS),
    ):
        with pytest.raises(Unauthorized):
            signer.verify(token, key, kind)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS384", "kid": "key_1", "typ": "at+jwt"},
        {"alg": "HS512", "kid": "key_1", "typ": "at+jwt"},
        {"alg": "HS256", "kid": "key_1", "typ": "JWT"},
        {"alg": "HS256", "kid": "key_1"},
        {"alg": "HS256", "typ": "at+jwt"},
        {"alg": "HS256", "kid": "key_1", "typ": "at+jwt", "cty": "JWT"},
        {"alg": "HS256", "kid": "key_1", "typ": "at+jwt", "jku": "https://evil.example"},
    ],
    ids=str,
)
def test_a_header_that_we_do_not_write_is_refused_though_our_key_signed_it(header: dict[str, Any]) -> None:
    token = jwt.encode(header, CLAIMS, own_key(), algorithms=["HS256", "HS384", "HS512"], default_type=None)
    with pytest.raises(Unauthorized):
        SIGNER.verify(token, KEY, ACCESS)


def test_neither_no_algorithm_nor_one_of_another_family_is_taken() -> None:
    rsa = RSAKey.generate_key(2048)
    signed = jwt.encode({"alg": "RS256", "kid": "key_1", "typ": "at+jwt"}, CLAIMS, rsa, algorithms=["RS256"])
    part = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "key_1", "typ": "at+jwt"}).encode()).decode()
    body = SIGNER.sign(KEY, ACCESS, CLAIMS).split(".")[1]
    for token in (signed, f"{part.rstrip('=')}.{body}.", f"{part}.{body}.AAAA"):
        with pytest.raises(Unauthorized):
            SIGNER.verify(token, KEY, ACCESS)


def test_no_changed_bit_of_the_content_verifies() -> None:
    token = SIGNER.sign(KEY, ACCESS, CLAIMS)
    end = token.rindex(".")
    for place in range(end):
        bent = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Unauthorized):
            SIGNER.verify(bent, KEY, ACCESS)


@given(st.text(max_size=3_000) | st.binary(max_size=500).map(lambda b: base64.urlsafe_b64encode(b).decode() + ".e30.x"))
def test_whatever_is_presented_is_refused_quietly(token: str) -> None:
    with pytest.raises(Unauthorized):
        SIGNER.verify(token, KEY, ACCESS)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_whatever_a_header_holds_it_is_refused_quietly(header: Any) -> None:
    part = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    with pytest.raises(Unauthorized):
        SIGNER.verify(f"{part}.e30.AAAA", KEY, ACCESS)


def test_content_that_is_signed_but_no_object_is_refused() -> None:
    from joserfc import jws

    header = {"alg": "HS256", "kid": "key_1", "typ": "at+jwt"}
    for content in (b"[]", b"7", b"nothing", b"\xff", b'{"exp": NaN}', b"[" * 900):
        token = jws.serialize_compact(header, content, own_key(), algorithms=["HS256"])
        try:
            claims = SIGNER.verify(token, KEY, ACCESS)
        except Unauthorized:
            claims = {}
        assert isinstance(claims, dict)


def test_keys_are_derived_as_rfc_5869_says() -> None:
    # RFC 5869, appendix A.3: no salt, no info; the first 32 bytes of its output.
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derive(b"\x0b" * 22, b"").hex() == expected
