"""Passwords and tokens: Argon2id and signed JWTs. Only `bootstrap` chooses them."""

from cost_ops.credentials.passwords import CHEAP, Argon2Passwords
from cost_ops.credentials.tokens import JoseTokens

__all__ = ["CHEAP", "Argon2Passwords", "JoseTokens"]
