"""LLM Cost Ops: what your calls of language models cost.

    import llm_cost_ops

    llm_cost_ops.instrument()      # every call of OpenAI, Anthropic, Google … is tracked from here on

Names are loaded when they are first used, so that importing costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_cost_ops.async_client import AsyncCostOpsClient as AsyncCostOpsClient
    from llm_cost_ops.client import CostOpsClient as CostOpsClient
    from llm_cost_ops.client import default_client as default_client
    from llm_cost_ops.context import cost_context as cost_context
    from llm_cost_ops.delivery.settings import DeliverySettings as DeliverySettings
    from llm_cost_ops.exceptions import CostOpsError as CostOpsError
    from llm_cost_ops.instrumentation import instrument as instrument
    from llm_cost_ops.instrumentation import uninstrument as uninstrument
    from llm_cost_ops.instrumentation import wrap as wrap
    from llm_cost_ops.notebook import load_ipython_extension as load_ipython_extension
    from llm_cost_ops.notebook import unload_ipython_extension as unload_ipython_extension
    from llm_cost_ops.spend_limits import spend_limit as spend_limit
    from llm_cost_ops.summaries import summary as summary

__version__ = "0.1.0"

_WHERE = {
    "AsyncCostOpsClient": "async_client",
    "CostOpsClient": "client",
    "CostOpsError": "exceptions",
    "DeliverySettings": "delivery.settings",
    "cost_context": "context",
    "default_client": "client",
    "instrument": "instrumentation",
    "load_ipython_extension": "notebook",
    "spend_limit": "spend_limits",
    "summary": "summaries",
    "uninstrument": "instrumentation",
    "unload_ipython_extension": "notebook",
    "wrap": "instrumentation",
}
__all__ = [*_WHERE, "__version__"]  # noqa: PLE0604  (all of them are texts)


def __getattr__(name: str) -> Any:
    """Load a public name."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
