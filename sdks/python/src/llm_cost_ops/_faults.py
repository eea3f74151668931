"""What went wrong on the way to the server, in words: which URL, what happened, what to do."""

from __future__ import annotations

import os

import httpx2

from llm_cost_ops.exceptions import ConnectionError, SettingsError, TimeoutError

_REFUSED = "is the server running there? `cost-ops server` starts one; base_url or COST_OPS_API_URL says where it is"
_UNKNOWN_HOST = "the host is not known: look at base_url or COST_OPS_API_URL"
_TLS = (
    "TLS failed. A server without TLS has a URL that begins with http://; "
    "a certificate of your own authority is trusted when SSL_CERT_FILE names it"
)
_BROKEN = "the connection broke before the answer was whole"


def told(error: httpx2.HTTPError, url: str, timeout: float) -> ConnectionError:
    """The exception for what the HTTP client raised."""
    if isinstance(error, httpx2.TimeoutException):
        made: ConnectionError = TimeoutError(f"{url} did not answer within {timeout:g} s ({type(error).__name__})")
    else:
        made = ConnectionError(f"{url} was not reached: {_what(error)}")
    made.unsent = isinstance(error, _UNSENT)
    return made


NOT_MADE = (ValueError, OSError, ImportError, httpx2.InvalidURL)
"""What the HTTP client raises where it cannot be made, or a request for it."""


def not_made(error: Exception, url: str) -> SettingsError:
    """The exception for what its surroundings or the call's own texts make impossible."""
    named = [f"{name}={os.environ[name]}" for name in _TRUST if name in os.environ]
    trust = f" ({' and '.join(named)})" if named and isinstance(error, OSError) else ""
    return SettingsError(
        f"a request to {url} cannot be made: {type(error).__name__}: {error}{trust}. "
        "Look at base_url, the headers, and the environment's proxies and certificates"
    )


_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def _what(error: httpx2.HTTPError) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, httpx2.ConnectError):
        return f"{text}: {_advice(text)}"
    if isinstance(error, (httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.WriteError)):
        return f"{_BROKEN} ({text})"
    return text


def _advice(text: str) -> str:
    lowered = text.lower()
    if "ssl" in lowered or "tls" in lowered or "certificate" in lowered:
        return _TLS
    if (
        "name or service" in lowered
        or "getaddrinfo" in lowered
        or "name resolution" in lowered
        or "nodename" in lowered
    ):
        return _UNKNOWN_HOST
    return _REFUSED
