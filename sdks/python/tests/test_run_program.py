"""`python -m llm_cost_ops` runs a program as Python does, with its calls tracked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ledgers import Ledger

PROGRAM = """
import json, sys
print(json.dumps({"argv": sys.argv, "name": __name__, "path": sys.path[0]}))
"""
ASKING = """
from openai import OpenAI
with OpenAI() as client:
    client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "How cold is it in Oslo?"}])
"""
IN_LANGCHAIN = "from langchain.callbacks import CostOpsCallbackHandler; print(CostOpsCallbackHandler.__module__)"


def runs(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What becomes of `python -m llm_cost_ops` with these arguments in a shell."""
    around = {name: value for name, value in os.environ.items() if not name.startswith(("COST_OPS_", "OPENAI_"))}
    command = [sys.executable, "-m", "llm_cost_ops", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**around, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_script_has_its_own_arguments_name_and_folder(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = runs("program.py", "--flag", "-m", "word", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said == {"argv": ["program.py", "--flag", "-m", "word"], "name": "__main__", "path": str(tmp_path)}


def test_a_module_is_run_like_pythons_own_option(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = runs("-m", "program", "word", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert (said["argv"][1:], said["name"]) == (["word"], "__main__")
    assert said["argv"][0].endswith("program.py")


def test_the_exit_code_and_the_traceback_are_the_programs(tmp_path: Path) -> None:
    (tmp_path / "leaves.py").write_text("import sys; sys.exit(7)")
    (tmp_path / "fails.py").write_text("raise RuntimeError('its own')")
    assert runs("leaves.py", folder=tmp_path).returncode == 7
    failed = runs("fails.py", folder=tmp_path)
    assert failed.returncode == 1
    assert "RuntimeError: its own" in failed.stderr


def test_help_and_what_cannot_be_run_are_said(tmp_path: Path) -> None:
    helped = runs("--help", folder=tmp_path)
    assert (helped.returncode, helped.stdout.startswith("usage: python -m llm_cost_ops script.py")) == (0, True)
    for arguments in ([], ["--unknown"], ["nowhere.py"], ["-m"]):
        refused = runs(*arguments, folder=tmp_path)
        assert (refused.returncode, bool(refused.stderr)) == (2, True)


def test_calls_of_provider_clients_are_tracked(ledger: Ledger, providers: str, tmp_path: Path) -> None:
    (tmp_path / "asks.py").write_text(ASKING)
    environment = {
        "COST_OPS_API_KEY": ledger.key,
        "COST_OPS_API_URL": ledger.url,
        "COST_OPS_ORGANIZATION": ledger.organization_id,
        "COST_OPS_SPOOL": f"{tmp_path}/spool",
        "OPENAI_BASE_URL": f"{providers}/openai-chat/v1",
        "OPENAI_API_KEY": "sk-test",
    }
    ended = runs("asks.py", folder=tmp_path, **environment)
    assert ended.returncode == 0, ended.stderr
    [record] = ledger.records()
    ledger.proved_as_worked("openai-chat", record["usage_id"])


def test_without_a_key_the_program_runs_and_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = runs("program.py", folder=tmp_path)
    assert ended.returncode == 0
    assert "COST_OPS_API_KEY" in ended.stderr


def test_the_handler_is_where_langchain_has_its_own_also_in_versions_that_have_none(tmp_path: Path) -> None:
    (tmp_path / "langchain").mkdir()
    (tmp_path / "langchain" / "__init__.py").write_text("")
    (tmp_path / "program.py").write_text(IN_LANGCHAIN)
    ended = runs("program.py", folder=tmp_path)
    assert ended.stdout == "llm_cost_ops.integrations.langchain\n", ended.stderr
    (tmp_path / "langchain" / "callbacks.py").write_text("OWN = 1")
    (tmp_path / "program.py").write_text(f"{IN_LANGCHAIN}\nfrom langchain.callbacks import OWN; print(OWN)")
    ended = runs("program.py", folder=tmp_path)
    assert ended.stdout == "llm_cost_ops.integrations.langchain\n1\n", ended.stderr
