"""Settings: what stands in the environment beside them is nobody's mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.settings import load_settings


def test_the_spool_of_a_client_on_the_same_machine_is_no_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"HOME": str(tmp_path), "COST_OPS_SPOOL": "/var/spool/llm-cost-ops", "COST_OPS_SERVER_PORT": "8181"}
    assert load_settings(environment=environment).server.port == 8181
    with pytest.raises(InvalidInput, match="spoool"):
        load_settings(environment={"HOME": str(tmp_path), "COST_OPS_SPOOOL": "/var"})
