"""Settings: one frozen value, read once. File < environment < flags; an unknown key names the nearest known one.

The file is `cost-ops.toml` in the current folder, else in the user's, else in the system's configuration folder.
Environment variables are `COST_OPS_<SECTION>_<KEY>`; `DATABASE_URL` is honoured too.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.settings_sections import (
    AuthSettings,
    BudgetsSettings,
    CacheSettings,
    DatabaseSettings,
    DefaultsSettings,
    IngestSettings,
    JobsSettings,
    LimitsSettings,
    LoggingSettings,
    NotificationsSettings,
    PricingSettings,
    RetentionSettings,
    ServerSettings,
)

FILE_NAME = "cost-ops.toml"
ENV_PREFIX = "COST_OPS_"
SHORT_VARIABLES = {
    "DATABASE_URL": "database.url",
    "COST_OPS_API_URL": "defaults.api_url",
    "COST_OPS_API_KEY": "defaults.api_key",
    "COST_OPS_ORGANIZATION": "defaults.organization",
}
"""Variables with a name of their own; the long form (`COST_OPS_DEFAULTS_API_URL`) wins over them."""

NOT_SETTINGS = ("COST_OPS_CONFIG", "COST_OPS_SPOOL")
"""Names the file; says where the Python client keeps what it has not sent yet, on the same machine."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process."""

    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    defaults: DefaultsSettings = field(default_factory=DefaultsSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    pricing: PricingSettings = field(default_factory=PricingSettings)
    notifications: NotificationsSettings = field(default_factory=NotificationsSettings)
    budgets: BudgetsSettings = field(default_factory=BudgetsSettings)
    jobs: JobsSettings = field(default_factory=JobsSettings)
    path: str | None = None
    """The file that was read, if any."""


_SECTIONS: dict[str, Any] = {name: hint for name, hint in get_type_hints(Settings).items() if is_dataclass(hint)}
KEYS = tuple(f"{section}.{f.name}" for section, kind in _SECTIONS.items() for f in fields(kind))
_BOUNDS = {
    "database.pool_size": (1, 500),
    "server.port": (0, 65_535),
    "notifications.smtp_port": (1, 65_535),
    "server.workers": (1, 256),
    "server.max_body_bytes": (1024, 2**31),
    "auth.key_cache_secs": (0, 5),
    "cache.ttl_secs": (0, 86_400),
    "ingest.queue_size": (1, 10_000_000),
    "ingest.max_group": (1, 100_000),
    "ingest.future_tolerance_secs": (0, 86_400),
    "retention.usage_days": (0, 36_500),
    "budgets.lease_ttl_secs": (1, 86_400),
    "notifications.group_wait_secs": (0, 3_600),
    "jobs.threads": (1, 64),
    "jobs.lease_secs": (5, 3_600),
    "jobs.keep_days": (1, 3_650),
}


def load_settings(
    *, path: str | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of this process; `flags` maps `section.key` to values. Raises InvalidInput with every problem."""
    environ = os.environ if environment is None else environment
    found = find_file(path, environ)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    if found is not None:
        _read_file(found, values, problems)
    values.update({key: environ[name] for name, key in SHORT_VARIABLES.items() if name in environ})
    for name, text in environ.items():
        if name.startswith(ENV_PREFIX):
            _read_variable(name, text, values, problems)
    values.update({key: value for key, value in (flags or {}).items() if value is not None})
    sections: dict[str, Any] = {name: kind(**_typed(name, kind, values, problems)) for name, kind in _SECTIONS.items()}
    if problems:
        raise InvalidInput(problems)
    return Settings(**sections, path=str(found) if found else None)


def find_file(path: str | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file to read. Raises InvalidInput where a named one does not exist."""
    named = path or environ.get("COST_OPS_CONFIG")
    if named:
        if not Path(named).is_file():
            raise invalid("config", "not_found", f"configuration file {named} does not exist")
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    for candidate in (Path(FILE_NAME), Path(home) / "cost-ops" / FILE_NAME, Path("/etc/cost-ops") / FILE_NAME):
        if candidate.is_file():
            return candidate
    return None


def _read_file(path: Path, values: dict[str, Any], problems: list[Problem]) -> None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problems.append(Problem("config", "unreadable", f"{path} cannot be read: {error}"))
        return
    for section, entries in content.items():
        if not isinstance(entries, dict):
            problems.append(unknown_key(section, str(path)))
            continue
        for key, value in entries.items():
            name = f"{section}.{key}"
            if name in KEYS:
                values[name] = value
            else:
                problems.append(unknown_key(name, str(path)))


def _read_variable(name: str, text: str, values: dict[str, Any], problems: list[Problem]) -> None:
    if name in NOT_SETTINGS or name in SHORT_VARIABLES or name.startswith("COST_OPS_TEST_"):
        return
    section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("_")
    dotted = f"{section}.{key}"
    if dotted in KEYS:
        values[dotted] = text
    else:
        problems.append(unknown_key(dotted, f"environment variable {name}"))


def unknown_key(name: str, where: str) -> Problem:
    """The problem of a key that no setting has, with the nearest one that exists."""
    near = get_close_matches(name, KEYS, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(KEYS)}"
    return Problem(name, "unknown_key", f"unknown setting {name} in {where}{hint}")


def _typed(section: str, kind: Any, values: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    out = {}
    hints = get_type_hints(kind)
    for f in fields(kind):
        name = f"{section}.{f.name}"
        if name in values:
            value = _convert(name, hints[f.name], values[name], problems)
            if value is not None:
                out[f.name] = value
    return out


def _convert(name: str, hint: Any, value: Any, problems: list[Problem]) -> Any:
    wanted = next(a for a in get_args(hint) if a is not NoneType) if isinstance(hint, UnionType) else hint
    if wanted is bool:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
        if found is None:
            problems.append(Problem(name, "invalid_type", f"{name} must be true or false, got {value!r}"))
        return found
    if wanted is int:
        text = str(value).strip()
        if isinstance(value, bool) or not text.lstrip("-").isdigit():
            problems.append(Problem(name, "invalid_type", f"{name} must be a whole number, got {value!r}"))
            return None
        least, most = _BOUNDS.get(name, (0, 2**31))
        if not least <= int(text) <= most:
            problems.append(Problem(name, "out_of_range", f"{name} must be between {least} and {most}, got {text}"))
            return None
        return int(text)
    if not isinstance(value, str):
        problems.append(Problem(name, "invalid_type", f"{name} must be a text, got {value!r}"))
        return None
    return _chosen(name, wanted, value, problems)


def _chosen(name: str, hint: Any, value: str, problems: list[Problem]) -> str | None:
    """A text, where the setting takes any; one of its choices, where it has some."""
    choices = get_args(hint) if get_origin(hint) is Literal else (value,)
    if value in choices:
        return value
    problems.append(Problem(name, "invalid_choice", f"{name} must be one of {', '.join(choices)}, got {value[:40]!r}"))
    return None


def read_value(name: str, text: str) -> Any:
    """A setting's value from text, checked as the file's and the environment's are. Raises InvalidInput."""
    if name not in KEYS:
        raise InvalidInput([unknown_key(name, "the request")])
    section, key = name.split(".")
    problems: list[Problem] = []
    value = _convert(name, get_type_hints(_SECTIONS[section])[key], text, problems)
    if problems:
        raise InvalidInput(problems)
    return value


def get_value(settings: Settings, name: str) -> Any:
    """The value of `section.key`. Raises InvalidInput for an unknown one."""
    if name not in KEYS:
        raise InvalidInput([unknown_key(name, "the request")])
    section, key = name.split(".")
    return getattr(getattr(settings, section), key)


def is_secret(name: str) -> bool:
    """Whether a setting must not be shown."""
    section, key = name.split(".")
    return any(f.name == key and f.metadata.get("secret") for f in fields(_SECTIONS[section]))


def describe(name: str) -> str:
    """One line about a setting."""
    section, key = name.split(".")
    return next(str(f.metadata.get("help", "")) for f in fields(_SECTIONS[section]) if f.name == key)
