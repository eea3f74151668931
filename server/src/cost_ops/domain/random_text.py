"""Random letters and digits, from random bits that are handed in."""

from __future__ import annotations

from collections.abc import Callable

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_IDENTITY_ALPHABET = _ALPHABET[:36]
SECRET_LENGTH = 43
"""Characters of a secret: 256 bits."""


def random_secret(random_bits: Callable[[int], int]) -> str:
    """A secret of 256 bits."""
    return _text(random_bits, SECRET_LENGTH, _ALPHABET)


def random_identity(random_bits: Callable[[int], int], prefix: str) -> str:
    """A public id such as `usr_…`: 82 bits, lower case."""
    return f"{prefix}_{_text(random_bits, 16, _IDENTITY_ALPHABET)}"


def _text(random_bits: Callable[[int], int], length: int, alphabet: str) -> str:
    """Evenly random characters; the bits beyond the length make the bias immeasurably small."""
    number = random_bits(length * 6 + 64)
    out = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        out.append(alphabet[index])
    return "".join(out)
