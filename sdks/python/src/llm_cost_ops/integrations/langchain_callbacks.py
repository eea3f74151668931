"""`from langchain.callbacks import CostOpsCallbackHandler`: the handler, where LangChain keeps its own.

The name is put into `langchain.callbacks` when that is imported, and at once if it has been. LangChain 1 has no such
module: there it is provided, with this name alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Optional

_MODULE = "langchain.callbacks"
_NAME = "CostOpsCallbackHandler"


def put_into_langchain(handler: Optional[type] = None) -> None:
    """Let `langchain.callbacks` have the handler, from when it is imported on."""
    imported = sys.modules.get(_MODULE)
    if imported is not None:
        _put_into(imported, handler)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _put_into(module: Any, handler: Optional[type] = None) -> None:
    setattr(module, _NAME, handler or getattr(import_module("llm_cost_ops.integrations.langchain"), _NAME))


class _Provided(Loader):
    """Makes the module where LangChain has none."""

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:  # noqa: ARG002
        """An ordinary module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """The handler is all there is in it."""
        module.__doc__ = "The callback handler of LLM Cost Ops. This version of LangChain has no callbacks here."
        _put_into(module)


class _Finder(MetaPathFinder):
    """Finds `langchain.callbacks`, and nothing else."""

    def find_spec(self, fullname: str, path: Optional[Sequence[str]], target: Any = None) -> Optional[ModuleSpec]:
        """LangChain's own module, which gets the handler when it has run; else one with the handler alone."""
        if fullname != _MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return ModuleSpec(fullname, _Provided())
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _put_into(module)

        loader.exec_module = exec_module
        return spec
