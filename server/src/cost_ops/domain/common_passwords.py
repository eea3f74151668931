"""Passwords of twelve and more characters that lists of stolen ones have many times over: what is tried first.

Shorter ones of those lists are too short here anyway; the rest is caught by the rules in `cost_ops.domain.users`.
"""

from __future__ import annotations

import re

_STEMS = (
    "123qweasdzxc", "1qaz2wsx3edc", "1qazxsw23edc", "adminadmin", "administrator", "asdfghjkl", "asdfjkl",
    "basketball", "changeme", "chocolate", "computer", "dragon", "football", "iloveyou", "letmein", "liverpool",
    "login", "master", "michael", "monkey", "princess", "q1w2e3r4t5y6", "qazwsxedc", "qwerty", "qwertyuiop",
    "starwars", "sunshine", "superman", "trustno", "unknown", "welcome", "whatever", "zaq1xsw2cde3", "zxcvbnm",
)  # fmt: skip
_LEET = str.maketrans("@301$5!7", "aeoissit")
_TAIL = re.compile(r"[\d\W_]+\Z")


def is_common(password: str) -> bool:
    """Whether it is such a one: a stem, once or twice, with digits and signs after it."""
    lowered = password.lower()
    for form in (lowered, lowered.translate(_LEET)):
        stem = _TAIL.sub("", form)
        if form in _STEMS or stem in _STEMS or any(stem == twice + twice for twice in _STEMS):
            return True
    return False
