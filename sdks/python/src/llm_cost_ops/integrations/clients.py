"""The client that a framework's handler sends with."""

from __future__ import annotations

import threading
from typing import Optional

from llm_cost_ops.client import CostOpsClient, default_client
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.settings import resolve

_CLIENTS: dict[tuple[Optional[str], ...], CostOpsClient] = {}
_LOCK = threading.Lock()


def client_of(api_key: Optional[str], base_url: Optional[str], organization_id: Optional[str]) -> CostOpsClient:
    """The client of these settings, which all handlers with the same ones share; by default that of the environment."""
    settings = (api_key, base_url, organization_id)
    if settings == (None, None, None) or _is_default(settings):
        return default_client()
    with _LOCK:
        if settings not in _CLIENTS:
            _CLIENTS[settings] = CostOpsClient(api_key, base_url, organization_id)
        return _CLIENTS[settings]


def _is_default(settings: tuple[Optional[str], Optional[str], Optional[str]]) -> bool:
    """Whether the environment says the same: then `instrument()` and the handler tell one tracker, and count once."""
    try:
        return resolve(*settings) == default_client().settings
    except SettingsError:
        return False
