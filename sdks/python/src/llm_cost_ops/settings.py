"""What a client is told: by its arguments, else by the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import urlsplit

from llm_cost_ops.exceptions import SettingsError

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = 2
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Settings:
    """Where the ledger is, and who asks. The key is shown nowhere."""

    base_url: str
    api_key: str = field(repr=False)
    organization_id: Optional[str] = None
    timeout: float = DEFAULT_TIMEOUT
    """Seconds until the server has to have answered something, in each attempt."""
    max_retries: int = DEFAULT_RETRIES
    default_pricing: Optional[Mapping[str, Any]] = None


def resolve(
    api_key: Optional[str] = None, base_url: Optional[str] = None, organization_id: Optional[str] = None, **more: Any
) -> Settings:
    """Settings of arguments, else of COST_OPS_API_KEY, COST_OPS_API_URL and COST_OPS_ORGANIZATION.

    Raises SettingsError where there is no key, the URL is none, or a number is out of range.
    """
    for name, given in (("api_key", api_key), ("base_url", base_url), ("organization_id", organization_id)):
        if given is not None and not isinstance(given, str):
            raise SettingsError(f"{name} must be a text, got {type(given).__name__}")
    key = api_key or os.environ.get("COST_OPS_API_KEY", "")
    if not key:
        raise SettingsError("no API key: give api_key=…, or set COST_OPS_API_KEY. `cost-ops auth create-key` makes one")
    if not _KEY.fullmatch(key):
        raise SettingsError(
            f"the API key has characters that no key has, such as a line break, a space or a letter with an accent "
            f"(it has {len(key)} characters): was it read from a file with its line break?"
        )
    url = _checked_url(base_url or os.environ.get("COST_OPS_API_URL", "") or DEFAULT_URL)
    organization = organization_id or os.environ.get("COST_OPS_ORGANIZATION") or None
    settings = Settings(url, key, organization, **{name: value for name, value in more.items() if value is not None})
    check_numbers(settings.timeout, settings.max_retries)
    return settings


def check_numbers(timeout: Any, max_retries: Any) -> None:
    """Raises SettingsError where a timeout is not above 0, or a number of retries is below 0."""
    if not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise SettingsError(f"timeout must be a number of seconds above 0, got {timeout!r}")
    if not isinstance(max_retries, (int, float)) or max_retries != int(max_retries) or max_retries < 0:
        raise SettingsError(f"max_retries must be a whole number, 0 or more, got {max_retries!r}")


def _checked_url(given: str) -> str:
    url = given.strip().rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"base_url must begin with http:// or https://, got {given!r}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"base_url is not a URL: {error}") from error
    if not host:
        raise SettingsError(f"base_url has no host: {given!r}")
    if parts.username or parts.password:
        raise SettingsError("base_url must not hold a user and a password; the key goes into api_key=…")
    if parts.query or parts.fragment:
        raise SettingsError(f"base_url must not have a query or a fragment, got {given!r}")
    return url[: -len("/api/v1")] if url.endswith("/api/v1") else url
