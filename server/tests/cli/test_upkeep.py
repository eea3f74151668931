"""Settings, the doctor, partitions and rollups."""

import socket
import stat
from pathlib import Path

import psycopg

from tests.cli.conftest import Shell, usage


def test_config_set_keeps_comments_and_masks_secrets(shell: Shell) -> None:
    shell.write("cost-ops.toml", '# ours\n[database]\nurl = "sqlite:cost-ops.db"  # here\n')
    shell("config", "set", "cache.ttl_secs", "60")
    shown = shell("config", "set", "auth.jwt_secret", "hush").stdout
    assert "hush" not in shown
    text = Path("cost-ops.toml").read_text()
    assert text.startswith("# ours")
    assert "# here" in text
    assert "ttl_secs = 60" in text
    assert stat.S_IMODE(Path("cost-ops.toml").stat().st_mode) == 0o600
    assert "hush" not in shell("config", "show").stdout + shell("config", "get", "auth.jwt_secret").stdout
    assert shell("config", "get", "cache.ttl_secs").stdout == "60\n"


def test_config_refuses_what_no_setting_takes(shell: Shell) -> None:
    assert "did you mean cache.enable?" in shell("config", "set", "cache.enabel", "true", code=2).stderr
    assert "true or false" in shell("config", "set", "cache.enable", "perhaps", code=2).stderr
    assert "between 1 and 500" in shell("config", "set", "database.pool_size", "0", code=2).stderr
    assert "one of auto, on, off" in shell("config", "set", "database.row_level_security", "true", code=2).stderr
    assert not Path("cost-ops.toml").exists()


def test_config_shows_a_url_without_its_password(empty_shell: Shell) -> None:
    shown = empty_shell("config", "get", "database.url", "--database-url", "postgresql://me:secret@db/costops").stdout
    assert shown == "postgresql://me:***@db/costops\n"


def test_the_doctor_is_content_with_a_ready_ledger(any_shell: Shell) -> None:
    any_shell("ingest", "--file", any_shell.write("u.json", [usage()]))
    found = {c["name"]: c for c in any_shell.json("doctor", code=0)}
    assert {c["level"] for c in found.values()} <= {"ok", "warn"}
    assert found["rollups"]["level"] == found["schema"]["level"] == found["clock"]["level"] == "ok"
    assert found["unpriced usage"]["level"] == "warn"
    assert "pricing add" in found["unpriced usage"]["advice"]


def test_the_doctor_fails_without_a_ledger_and_says_what_to_do(empty_shell: Shell) -> None:
    assert "cost-ops init" in empty_shell("doctor", code=1).stdout


def test_the_doctor_says_what_keeps_organisations_apart(empty_shell: Shell, postgres_database: str) -> None:
    def told(mode: str) -> tuple[str, str]:
        empty_shell.write("cost-ops.toml", f'[database]\nurl = "{postgres_database}"\nrow_level_security = "{mode}"\n')
        checks = {c["name"]: c for c in empty_shell.json("doctor")}
        return checks["row-level security"]["level"], checks["row-level security"]["found"]

    level, found = told("on")
    assert level == "warn", "the tests' user is a superuser"
    assert "_tenant" in found
    assert told("off") == ("warn", "off")
    with psycopg.connect(postgres_database) as connection:
        connection.execute("DROP POLICY cost_ops_tenant ON usage_records")
    assert told("auto") == ("warn", "not in force")
    empty_shell.write("cost-ops.toml", f'[database]\nurl = "{postgres_database}"\nrow_level_security = "on"\n')
    for command in ("doctor", "server", "query"):
        refused = empty_shell(command, code=1 if command == "doctor" else 5)
        assert "cost-ops migrate" in refused.stdout + refused.stderr
    empty_shell("migrate")
    empty_shell("query")


def test_the_doctor_sees_a_taken_port(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        shell("config", "set", "server.port", port)
        checks = {c["name"]: c["level"] for c in shell.json("doctor")}
        assert checks["port"] == "warn"
        refused = shell("server", code=1).stderr
        assert "--port" in refused
        assert "another port" in shell("demo", "--port", port, code=1).stderr
        assert not Path(".run").exists()


def test_partitions_are_made_ahead(any_shell: Shell) -> None:
    made = any_shell.json("partitions", "--months", "15")["made"]
    assert any_shell.json("partitions", "--months", "15")["made"] == []
    assert len(set(made)) == len(made)


def test_verify_finds_and_repairs_wrong_sums(shell: Shell) -> None:
    import sqlite3

    shell("ingest", "--file", shell.write("u.json", [usage(), usage()]))
    assert "agree" in shell("verify").stdout
    connection = sqlite3.connect("cost-ops.db")
    (table,) = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type='table' AND name LIKE '%rollup%'"
    ).fetchone()
    connection.execute(f"UPDATE {table} SET requests = requests + 1")
    connection.commit()
    connection.close()
    assert "--repair" in shell("verify", code=1).stderr
    shell("verify", "--repair")
    shell("verify")


def test_these_commands_need_the_database(empty_shell: Shell) -> None:
    for command in (["init"], ["verify"], ["partitions"], ["migrate"]):
        assert "--database-url" in empty_shell(*command, "--api-url", "http://127.0.0.1:1", code=2).stderr
