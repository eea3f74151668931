"""JSON to a service's web address that is itself the secret: what Slack and Teams have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cost_ops.domain.errors import InvalidInput, Problem
from cost_ops.interfaces.notifications import Answer, Checked
from cost_ops.notifiers.addresses import check_url
from cost_ops.notifiers.posting import TIMEOUT_SECONDS, post

_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "llm-cost-ops"}


def secret_url(document: Mapping[str, Any], *, private: bool, example: str) -> Checked:
    """A document's `url`, kept secret; its host may be shown. Raises InvalidInput."""
    url = document.get("url")
    if url is None or url == "":
        message = f"url is required: the address that the service gave you, such as {example}"
        raise InvalidInput([Problem("url", "missing_required_field", message)])
    checked = check_url(url, "url", private=private)
    return Checked({"host": urlsplit(checked).hostname or ""}, {"url": checked})


def encoded(document: Mapping[str, Any]) -> bytes:
    """A document as it is sent."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def post_json(
    url: str, document: Mapping[str, Any], *, private: bool, timeout_seconds: float = TIMEOUT_SECONDS
) -> Answer:
    """What a service answers to a document."""
    return post(url, encoded(document), _HEADERS, private=private, timeout_seconds=timeout_seconds)
