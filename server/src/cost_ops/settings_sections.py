"""The sections of the settings: what can be set, what it is by default, and a line about each.

`settings` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the ledger is kept."""

    url: str = field(
        default="sqlite:cost-ops.db", metadata={"help": "sqlite:FILE or postgresql://user:password@host/db"}
    )
    pool_size: int = field(default=10, metadata={"help": "connections kept per process (PostgreSQL)"})
    pgbouncer: bool = field(
        default=False, metadata={"help": "no prepared statements, for PgBouncer in transaction mode"}
    )
    row_level_security: Literal["auto", "on", "off"] = field(
        default="auto", metadata={"help": "auto: where PostgreSQL is set up for it; on: or refuse to start; off"}
    )


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What a process remembers."""

    enable: bool = field(default=True, metadata={"help": "remember verified keys"})
    ttl_secs: int = field(
        default=300, metadata={"help": "seconds that answers may be remembered; no effect in this version"}
    )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The HTTP server."""

    bind: str = field(default="127.0.0.1", metadata={"help": "address to listen on"})
    port: int = field(default=8080, metadata={"help": "port to listen on"})
    workers: int = field(default=1, metadata={"help": "processes"})
    max_body_bytes: int = field(default=10 * 1024 * 1024, metadata={"help": "largest request body, unpacked"})
    trusted_proxies: str = field(
        default="", metadata={"help": "networks whose X-Forwarded-For is believed, such as 10.0.0.0/8, 192.168.1.4"}
    )
    public_url: str = field(
        default="", metadata={"help": "where people reach it, for links in e-mails; bind and port if empty"}
    )


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Credentials."""

    jwt_secret: str = field(
        default="", metadata={"help": "secret that goes into every signature of a token", "secret": True}
    )
    key_cache_secs: int = field(
        default=4, metadata={"help": "seconds a verified key is remembered; a revoked one stops within"}
    )


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """Logs go to standard error."""

    level: str = field(default="info", metadata={"help": "debug, info, warning or error"})
    format: str = field(default="auto", metadata={"help": "json, text, or auto: text on a terminal"})


@dataclass(frozen=True, slots=True)
class DefaultsSettings:
    """What is taken where nothing is said."""

    organization: str = field(default="", metadata={"help": "organisation of commands that name none"})
    timezone: str = field(default="UTC", metadata={"help": "IANA zone of days, weeks and months"})
    api_url: str = field(default="", metadata={"help": "server that the CLI talks to; empty: the database"})
    api_key: str = field(default="", metadata={"help": "key for that server", "secret": True})


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """How usage is taken in."""

    strict: bool = field(default=False, metadata={"help": "refuse usage without a known price with 404"})
    queue_size: int = field(default=50_000, metadata={"help": "records that may wait for a commit before 503"})
    max_group: int = field(default=5_000, metadata={"help": "records in one commit at most"})
    future_tolerance_secs: int = field(default=300, metadata={"help": "how far a timestamp may lie ahead"})


@dataclass(frozen=True, slots=True)
class PricingSettings:
    """Prices."""

    allow_private_sources: bool = field(
        default=False, metadata={"help": "POST /pricing/sync may fetch from addresses that are not public"}
    )


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """How often may be asked; how much is up to the organisation's plan."""

    enabled: bool = field(default=True, metadata={"help": "hold organisations to the limits of their plans"})
    anonymous_per_hour: int = field(
        default=1000, metadata={"help": "requests an hour without a valid credential, by client address; 0: any number"}
    )
    redis_url: str = field(
        default="",
        metadata={"help": "count in this Redis (redis://…, rediss://…) instead of the database", "secret": True},
    )
    when_unavailable: Literal["allow", "refuse"] = field(
        default="allow", metadata={"help": "what becomes of requests that cannot be counted: allow, or refuse with 503"}
    )


@dataclass(frozen=True, slots=True)
class NotificationsSettings:
    """Letters to people."""

    smtp_host: str = field(default="", metadata={"help": "mail server; empty: no letters are sent"})
    smtp_port: int = field(default=587, metadata={"help": "its port; with tls usually 465"})
    smtp_user: str = field(default="", metadata={"help": "who to log in as; empty: not at all"})
    smtp_password: str = field(default="", metadata={"help": "password for that", "secret": True})
    smtp_security: Literal["starttls", "tls", "none"] = field(
        default="starttls", metadata={"help": "starttls, tls from the start, or none for a relay on this machine"}
    )
    smtp_from: str = field(default="", metadata={"help": "sender, such as LLM Cost Ops <costs@example.com>"})
    secret_key: str = field(
        default="",
        metadata={"help": "what secrets of channels are encrypted with: openssl rand -base64 32", "secret": True},
    )
    allow_private_addresses: bool = field(
        default=False, metadata={"help": "webhooks and channels may be at addresses that are not public"}
    )
    group_wait_secs: int = field(
        default=10, metadata={"help": "seconds that messages to people wait for others, to be one; 0: not at all"}
    )


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long things are kept; `cost-ops retention apply` removes what is older."""

    usage_days: int = field(default=0, metadata={"help": "days that usage is kept, by whole months; 0: for ever"})


@dataclass(frozen=True, slots=True)
class BudgetsSettings:
    """Budgets and what is reserved of them."""

    lease_ttl_secs: int = field(default=600, metadata={"help": "seconds that a lease is held where none are asked for"})
    when_unavailable: Literal["refuse", "allow"] = field(
        default="refuse", metadata={"help": "reserving while the database is away: refuse with 503, or allow unchecked"}
    )


@dataclass(frozen=True, slots=True)
class JobsSettings:
    """Work that nobody waits for: alerts, deliveries, upkeep."""

    in_server: bool = field(
        default=True, metadata={"help": "run jobs inside the server; else `cost-ops worker` has to run"}
    )
    threads: int = field(default=4, metadata={"help": "jobs and deliveries at once in one process"})
    lease_secs: int = field(default=60, metadata={"help": "seconds without a heartbeat after which a job is another's"})
    keep_days: int = field(default=30, metadata={"help": "days that finished jobs and deliveries are kept"})
