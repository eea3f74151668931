"""Requests that another site makes somebody's browser send: how they are told from those of our own page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

COOKIE_NAME = "__Host-cost_ops_session"
"""The prefix makes browsers insist on Secure, on Path=/ and on this very host."""

HEADER_NAME = "X-CSRF-Token"
_OURS = (b"same-origin", b"none")


def csrf_token_for(secret: str) -> str:
    """What a page sends beside the cookie; it follows from the cookie's secret, which no script can read."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"cost-ops csrf token", "sha256").hexdigest()


def check_csrf(value: str, headers: Mapping[bytes, bytes]) -> str | None:
    """What is wrong with a request that changes something and comes with a session's cookie; None: nothing.

    `value` is the cookie's, `headers` are by lower-case name. The token is always asked for; what the browser tells
    of the request's origin must fit too, where it tells something.
    """
    sent = headers.get(HEADER_NAME.lower().encode())
    if sent is None:
        return f"{HEADER_NAME} is missing; the log-in's answer has it as csrf_token"
    if not hmac.compare_digest(sent, csrf_token_for(value.partition(".")[2]).encode()):
        return f"{HEADER_NAME} is not that of this session"
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return None if site in _OURS else "the request comes from another site"
    origin = headers.get(b"origin")
    if origin is not None and origin.lower().partition(b"://")[2] != headers.get(b"host", b"").lower():
        return "the request comes from another origin"
    return None
