"""What is tracked when it is imported is not imported before, and is itself afterwards."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_cost_ops.instrumentation.on_import import when_imported

NAME = "imported_some_day"


def python(program: str) -> str:
    """What a program writes, in an interpreter of its own."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{NAME}.py").write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    yield
    sys.modules.pop(NAME, None)
    assert sys.meta_path == finders


def test_it_happens_once_right_after_the_import() -> None:
    seen: list[int] = []
    when_imported(NAME, lambda: seen.append(sys.modules[NAME].VALUE))
    assert (seen, NAME in sys.modules) == ([], False)
    imported = importlib.import_module(NAME)
    assert seen == [1]
    assert type(imported.__loader__).__name__ == type(imported.__spec__.loader).__name__ == "SourceFileLoader"
    importlib.reload(imported)
    assert seen == [1]


def test_it_happens_now_where_the_module_is_there() -> None:
    importlib.import_module(NAME)
    seen: list[int] = []
    when_imported(NAME, lambda: seen.append(1))
    assert seen == [1]


def test_it_does_not_happen_once_it_is_called_off() -> None:
    seen: list[int] = []
    when_imported(NAME, lambda: seen.append(1))()
    assert importlib.import_module(NAME).VALUE == 1
    assert seen == []


def test_what_is_looked_for_and_not_imported_is_waited_for_still() -> None:
    seen: list[int] = []
    when_imported(NAME, lambda: seen.append(1))
    assert importlib.util.find_spec(NAME) is not None
    assert seen == []
    importlib.import_module(NAME)
    assert seen == [1]


def test_instrument_imports_no_provider_s_client_and_tracks_those_that_are_imported_later() -> None:
    said = python(
        """
        import sys, llm_cost_ops
        from llm_cost_ops.instrumentation import _INSTRUMENTORS
        names = llm_cost_ops.instrument(llm_cost_ops.CostOpsClient("sk_test_a_b", "http://127.0.0.1:9"))
        print([name for name in _INSTRUMENTORS if name in sys.modules], len(names))
        from mistralai.client.chat import Chat
        from openai._base_client import SyncAPIClient
        print(hasattr(Chat.complete, "__llm_cost_ops_original__"), hasattr(SyncAPIClient.request, "__llm_cost_ops_original__"))
        """
    )
    assert said == "[] 7\nTrue True\n"


def test_a_package_of_an_unknown_version_is_not_tracked_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "cohere").mkdir()
    (tmp_path / "cohere" / "__init__.py").write_text("VALUE = 1\n", encoding="utf-8")
    said = python(
        f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r})
        import cohere, llm_cost_ops
        client = llm_cost_ops.CostOpsClient("sk_test_a_b", "http://127.0.0.1:9")
        print("cohere" in llm_cost_ops.instrument(client), "openai" in llm_cost_ops.instrument(client), cohere.VALUE)
        """
    )
    assert said == "False True 1\n"
