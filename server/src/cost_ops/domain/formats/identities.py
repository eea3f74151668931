"""How a call of another system is known again: by that system's id, and by the provider's response id."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from cost_ops.domain.text import MAX_TEXT

_OF_LITELLM = re.compile(r"litellm:.*;response_id:([^;]+)\Z", re.DOTALL)


def ledger_key(system: str, identity: str | None) -> str | None:
    """The idempotency key of a call that a system knows by an id; None without one.

    >>> ledger_key("langfuse", "obs-1")
    'langfuse:obs-1'
    """
    if identity is None:
        return None
    key = f"{system}:{identity}"
    if len(key) <= MAX_TEXT:
        return key
    # Long ids often differ at their end only, so none is cut.
    return f"{system}:{hashlib.blake2b(identity.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def provider_response_id(stated: str | None) -> str | None:
    """The id that the provider gave a response, also where LiteLLM has wrapped it; None where it is too long for one.

    LiteLLM's proxy answers `resp_` and base64 of `litellm:custom_llm_provider:…;model_id:…;response_id:…`.
    """
    if stated is None:
        return None
    try:
        unwrapped = base64.b64decode(stated.removeprefix("resp_"), validate=True).decode()
    except (binascii.Error, ValueError):
        unwrapped = ""
    if found := _OF_LITELLM.match(unwrapped):
        return found[1]
    return stated if len(stated) <= MAX_TEXT else None
