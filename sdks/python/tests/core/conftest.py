"""What runs on every Python that the SDK supports: the SDK, its HTTP client and loopback fakes, and no server."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.ledger import FakeLedger, fake_ledger
from llm_cost_ops import CostOpsClient

KEY = "sk_live_fake_0123456789"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in (
        "COST_OPS_API_KEY",
        "COST_OPS_API_URL",
        "COST_OPS_ORGANIZATION",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COST_OPS_SPOOL", f"{tmp_path}/spool")


@pytest.fixture
def fake() -> Iterator[FakeLedger]:
    """A loopback ledger that misbehaves as it is told."""
    with fake_ledger() as ledger:
        yield ledger


@pytest.fixture
def client(fake: FakeLedger, monkeypatch: pytest.MonkeyPatch) -> Iterator[CostOpsClient]:
    """A client of it that waits for nothing between its attempts."""
    from llm_cost_ops.resources.synchronous import calling

    monkeypatch.setattr(calling, "sleep", lambda seconds: None)
    with CostOpsClient(KEY, fake.url) as client:
        yield client


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody vouches for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    subprocess.run([openssl, *made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
