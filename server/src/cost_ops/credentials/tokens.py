"""JSON Web Tokens, signed with HMAC-SHA256 and nothing else. The package is loaded at first use."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cost_ops.domain.claims import MAX_TOKEN, TokenKind
from cost_ops.domain.errors import Unauthorized
from cost_ops.domain.sessions import SigningKey

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

_ALGORITHMS = ["HS256"]
_HEADER = {"alg", "kid", "typ"}


class JoseTokens:
    """Signs with keys whose material is made of what is stored and of the installation's own secret."""

    def __init__(self, secret: str) -> None:
        """`secret` is `[auth] jwt_secret`: with it, whoever reads the database still cannot make tokens."""
        self._secret = secret.encode()

    def sign(self, key: SigningKey, kind: TokenKind, claims: Mapping[str, Any]) -> str:
        """A token in compact form."""
        from joserfc import jwt

        header = {"alg": "HS256", "kid": key.kid, "typ": str(kind)}
        return jwt.encode(header, dict(claims), self._key(key), algorithms=_ALGORITHMS)

    def key_of(self, token: str, kind: TokenKind) -> str:
        """The `kid` that a token names. Raises Unauthorized for what cannot be a token of this kind.

        A header with anything beside `alg`, `kid` and `typ` is refused: keys that a token brings along, above all.
        """
        from joserfc import jws
        from joserfc.errors import JoseError

        if len(token) > MAX_TOKEN or not token.isascii() or token.count(".") != 2:
            raise Unauthorized
        try:
            header: Any = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise Unauthorized from None
        if not isinstance(header, Mapping) or set(header) != _HEADER:
            raise Unauthorized
        kid = header["kid"]
        if header["alg"] not in _ALGORITHMS or header["typ"] != str(kind) or not isinstance(kid, str):
            raise Unauthorized
        return kid

    def verify(self, token: str, key: SigningKey, kind: TokenKind) -> Mapping[str, Any]:
        """The claims of a token that the key has signed. Raises Unauthorized."""
        from joserfc import jwt
        from joserfc.errors import JoseError

        if self.key_of(token, kind) != key.kid:
            raise Unauthorized
        try:
            claims: Any = jwt.decode(token, self._key(key), algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, TypeError):
            raise Unauthorized from None
        if not isinstance(claims, Mapping):
            raise Unauthorized
        return claims

    def _key(self, key: SigningKey) -> OctKey:
        from joserfc.jwk import OctKey

        return OctKey.import_key(derive(key.secret + self._secret, f"cost-ops token {key.kid}".encode()))


def derive(material: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 of RFC 5869 with no salt, for one block: 32 bytes."""
    pseudorandom = hmac.digest(bytes(32), material, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")
