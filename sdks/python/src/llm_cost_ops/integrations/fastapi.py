"""FastAPI is Starlette: the same middleware under the name that one looks for."""

from __future__ import annotations

from llm_cost_ops.integrations.starlette import CostOpsMiddleware

__all__ = ["CostOpsMiddleware"]
