"""anthropic: Messages and beta Messages, of Anthropic, and of Amazon, Google and Microsoft, who sell Claude."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation import stainless
from llm_cost_ops.instrumentation.active import named_provider
from llm_cost_ops.instrumentation.hosts import provider_at
from llm_cost_ops.instrumentation.measuring import Measured
from llm_cost_ops.tracking import Tracker

_BY_CLASS = {"Bedrock": "aws", "AWS": "aws", "Vertex": "google", "GoogleCloud": "google", "Foundry": "azure"}


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    return stainless.install("anthropic", begin)


def begin(tracker: Tracker, client: Any, options: Any) -> Optional[stainless.Call]:
    """A call has begun; None where it is not paid for."""
    path = options.url.partition("?")[0].rstrip("/")
    if options.method.lower() != "post" or not path.endswith("v1/messages"):
        return None
    asked: Mapping[str, Any] = options.json_data if isinstance(options.json_data, Mapping) else {}
    model = asked.get("model")
    measured = Measured(tracker, provider_of(client), model if isinstance(model, str) else None)
    region = getattr(client, "region", None)  # Google's and Amazon's clients have one, and it is part of the price
    return stainless.Call(measured, **({"region": region} if isinstance(region, str) else {}))


def provider_of(client: Any) -> str:
    """Who bills the calls of a client."""
    said = named_provider(client)
    if said is not None:
        return said
    kind = type(client).__name__
    return next((name for word, name in _BY_CLASS.items() if word in kind), None) or provider_at(
        client.base_url.host, "anthropic"
    )
