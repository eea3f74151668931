"""Logs: one line an event to standard error, as JSON or as text, never with a credential in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from cost_ops.settings_sections import LoggingSettings

_SECRET = re.compile(r"\b(sk_(?:live|test|admin)_[0-9a-z]{8})_[0-9A-Za-z]+")
_BEARER = re.compile(r"(?i)\b(bearer)\s+(?!sk_)[^\s\"',;]+")
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_LINK = re.compile(r"(?i)(\btoken[=\s]\s*)[\w.-]{16,}")
_PASSWORD = re.compile(r"(?i)(\b[a-z][a-z0-9+.]*://[^\s:/@]*):[^\s@/]+@")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HIDDEN_NAMES = frozenset(
    {
        "access_token",
        "api_key",
        "authorization",
        "cookie",
        "csrf_token",
        "jwt_secret",
        "password",
        "refresh_token",
        "secret",
        "set-cookie",
        "smtp_password",
        "token",
    }
)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def masked(text: str) -> str:
    """`text` without the secret part of keys, tokens and database URLs.

    >>> masked("sk_live_ab12cd34_0123456789abcdefghijk")
    'sk_live_ab12cd34_***'
    """
    text = _SECRET.sub(r"\1_***", text)
    text = _BEARER.sub(r"\1 ***", text)
    text = _JWT.sub("***", text)
    text = _LINK.sub(r"\1***", text)
    return _PASSWORD.sub(r"\1:***@", text)


def one_line(text: str) -> str:
    r"""`text` with its control characters escaped, so that none of it looks like a line of its own.

    >>> one_line("went wrong\nall is well")
    'went wrong\\nall is well'
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name.lower() in _HIDDEN_NAMES:
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = masked(value)
    if isinstance(event.get("event"), str):
        event["event"] = one_line(event["event"])
    return event


def configure(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """Send this process's logs, those of libraries included, to `stream` (standard error unless said)."""
    out = stream or sys.stderr
    as_json = settings.format == "json" or (settings.format == "auto" and not out.isatty())
    level = _LEVELS.get(settings.level.lower(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = [structlog.processors.format_exc_info, _mask]
    last.append(structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=out.isatty()))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True


def use_program_logging() -> None:
    """Leave it to the program that we run inside of where our logs go: they are its `logging` loggers `cost_ops.…`."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            _mask,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> Any:
    """A logger called `name`; give it values by keyword."""
    return structlog.stdlib.get_logger(name)
