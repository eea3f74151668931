"""Doing something to a module when it is imported, without importing it: what a program never uses stays out of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Optional

Then = Callable[[], None]


def when_imported(name: str, then: Then) -> Callable[[], None]:
    """Call `then` once, now where the module is there, else right after its import; and return what calls that off."""
    if name in sys.modules:
        then()
        return lambda: None
    finder = _Finder(name, then)
    sys.meta_path.insert(0, finder)
    return finder.leave


class _Finder(MetaPathFinder):
    """Finds one module as the others do, and puts a loader around its loader."""

    def __init__(self, name: str, then: Then) -> None:
        self._name = name
        self._then = then

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != self._name:
            return None
        for finder in sys.meta_path:
            spec = (
                None if finder is self or not hasattr(finder, "find_spec") else finder.find_spec(fullname, path, target)
            )
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loading(spec.loader, self)
                return spec
        return None

    def imported(self) -> None:
        """The module is there."""
        self.leave()
        self._then()

    def leave(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _Loading(Loader):
    """A module's own loader, which is in its place again as soon as the module is loaded."""

    def __init__(self, own: Any, finder: _Finder) -> None:
        self._own = own
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        created: Optional[ModuleType] = self._own.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._own
        if module.__spec__ is not None:
            module.__spec__.loader = self._own
        self._own.exec_module(module)
        self._finder.imported()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_own"], name)
