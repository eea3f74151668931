"""The page that sets a password: one file, nothing fetched from elsewhere, works on a phone.

The token stands in the fragment of the link, which browsers do not send; the page takes it out of the address bar and
posts it. Script and style are allowed by their hashes, and nothing else is.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files

_SOURCE = files("cost_ops.api").joinpath("pages_for_people", "reset_password.html").read_text(encoding="utf-8")


def _hash_of(tag: str) -> str:
    """The hash of what stands inside the page's only element of a kind, as a content security policy has it."""
    content = _SOURCE.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return b64encode(sha256(content.encode()).digest()).decode()


PAGE = _SOURCE.encode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'sha256-{_hash_of('script')}'; style-src 'sha256-{_hash_of('style')}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
