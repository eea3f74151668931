"""What the program never does, held by its source: no code out of data, no weak chance, no unchecked certificate."""

import ast
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cost_ops
from cost_ops.bootstrap import migrate

SOURCE = Path(cost_ops.__file__).parent
TREES = {str(path.relative_to(SOURCE)): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}


def imports() -> Iterator[tuple[str, str]]:
    """(file, module) of everything that is imported."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield name, node.module
                yield from ((name, f"{node.module}.{alias.name}") for alias in node.names)


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """(file, call, what is called, as it is written)."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield name, node, ast.unparse(node.func)


def test_no_data_becomes_code_and_no_other_program_is_run():
    banned = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
    assert [(name, called) for name, _, called in calls() if called in banned or called.startswith("os.exec")] == []
    modules = {"pickle", "marshal", "shelve", "subprocess", "ctypes", "pty", "code", "jinja2", "mako", "ldap3"}
    found = [(name, module) for name, module in imports() if module.split(".")[0] in modules]
    # Apprise is confined to a child of our own, started with fixed words; what it is told goes in by its standard input.
    assert found == [("notifiers/apprise_channel.py", "subprocess")]


def test_no_xml_is_parsed():
    parsers = {"xml", "lxml", "defusedxml", "xmltodict"}
    assert [(name, module) for name, module in imports() if module.split(".")[0] in parsers] == []


def test_chance_that_must_not_be_guessed_comes_from_the_system():
    found = {name for name, module in imports() if module.split(".")[0] == "random"}
    assert found <= {"services/samples.py"}, "sample data only: secrets come from the module `secrets`"


def test_no_broken_hash_or_cipher_is_used():
    broken = {"md5", "sha1", "md4", "DES", "TripleDES", "ARC4", "Blowfish", "ECB", "PKCS1v15"}
    named = [
        (name, node.attr)
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in broken
    ]
    assert named == []
    assert [(name, module) for name, module in imports() if module.rsplit(".", 1)[-1] in broken] == []


def test_certificates_are_never_left_unchecked():
    unchecked = {"ssl.CERT_NONE", "ssl._create_unverified_context"}
    found = [
        (name, ast.unparse(node))
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in unchecked
    ]
    assert found == []
    for name, call, called in calls():
        for keyword in call.keywords:
            off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            assert not (keyword.arg in {"verify", "validate_certs", "check_hostname"} and off), f"{name}: {called}"


def test_no_credential_goes_into_a_message_or_a_log_line():
    hidden = {"password", "secret", "token", "presented"}
    for name, call, called in calls():
        if called.split(".")[-1] not in {"info", "warning", "error", "exception", "Unauthorized", "invalid"}:
            continue
        inside = [
            value.value.id
            for argument in call.args
            if isinstance(argument, ast.JoinedStr)
            for value in argument.values
            if isinstance(value, ast.FormattedValue) and isinstance(value.value, ast.Name)
        ]
        logged = [k.value.id for k in call.keywords if isinstance(k.value, ast.Name)]
        assert not hidden & {*inside, *logged}, f"{name}:{call.lineno}"


def test_a_new_ledger_knows_nobody(tmp_path: Path):
    migrate(f"sqlite:{tmp_path / 'ledger.db'}")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        for table in (
            "api_keys",
            "users",
            "memberships",
            "sessions",
            "signing_keys",
            "one_time_tokens",
            "organizations",
        ):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
