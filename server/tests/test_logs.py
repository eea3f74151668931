"""Logs: one event is one line, whatever a caller or another server put into it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from cost_ops import logs
from cost_ops.settings_sections import LoggingSettings

FORGED = "gone wrong\n2026-11-22T00:00:00Z [info     ] all is well\r\x1b[2K\x9b31m\u2028end"


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("library", [False, True], ids=["ours", "a library's"])
def test_no_value_makes_a_line_of_its_own(form: str, library: bool) -> None:
    out = io.StringIO()
    logs.configure(LoggingSettings(format=form), out)
    if library:
        logging.getLogger("smtplib").warning("the server said: %s", FORGED)
    else:
        logs.logger("test").warning(f"said: {FORGED}", path=FORGED, error=FORGED)
    text = out.getvalue()
    assert len(text.splitlines()) == 1, text
    assert not set(text.rstrip("\n")) & {"\n", "\r", "\x1b", "\x9b", "\u2028"}
    if form == "json":
        assert json.loads(text)["level"] == "warning"


def test_every_line_has_its_time_in_utc_and_the_request() -> None:
    out = io.StringIO()
    logs.configure(LoggingSettings(format="json"), out)
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        logs.logger("test").error("failed")
    line = json.loads(out.getvalue())
    assert line["timestamp"].endswith("Z")
    assert (line["request_id"], line["event"], line["level"]) == ("req-1", "failed", "error")


@pytest.mark.parametrize("form", ["json", "text"])
def test_tokens_links_and_cookies_are_masked_wherever_they_stand(form: str) -> None:
    out = io.StringIO()
    logs.configure(LoggingSettings(format=form), out)
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2VjcmV0LXNpZ25hdHVyZQ"
    link = "https://ledger.example/reset-password#token=S3cretS3cretS3cretS3cret"
    log = logs.logger("test")
    log.warning(f"refused {jwt}", header=f"Bearer {jwt}", link=link, refresh_token="hush-refresh", cookie="ses_1.hush")
    log.warning("sent", command="cost-ops auth reset-password --token S3cretS3cretS3cretS3cret")
    text = out.getvalue()
    assert [word for word in ("eyJ", "c2VjcmV0", "S3cret", "hush") if word in text] == []
    assert "https://ledger.example/reset-password#token=***" in text
