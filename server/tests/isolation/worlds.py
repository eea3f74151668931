"""Two installations that differ in one thing: in the second, the tenant whom the others must not notice is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from cost_ops.api import refusals
from cost_ops.api.gateway import Gateway
from cost_ops.api.limiter import Limiter
from cost_ops.bootstrap import open_application
from cost_ops.credentials.passwords import CHEAP, Argon2Passwords
from cost_ops.services import channels
from cost_ops.settings import load_settings
from tests.api.running import Server, serving
from tests.isolation.rows import far_numbers
from tests.isolation.settlement import settle_in
from tests.isolation.tenant import Tenant
from tests.isolation.things import MAKERS, share_in
from tests.people import KeptLetters, at_once

ASKER, VICTIM, IDLE = "acme-labs", "zq7-zenith", "idle-works"
START = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOURS = 10_000
MANY = 100_000
STEP = timedelta(milliseconds=1)


class Clock:
    """Time that moves when it is told to, so that two installations have the same."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def step(self) -> None:
        self.now += STEP


@dataclass
class World:
    """A running installation, its time, and who lives in it."""

    server: Server
    url: str
    clock: Clock
    tenants: dict[str, Tenant]

    def settle(self) -> None:
        """Let everything that was noted on the side be stored: which requests were refused."""
        gateway = self.server.process.config.app
        assert isinstance(gateway, Gateway)
        gateway._door._refusals.flush()

    @property
    def asker(self) -> Tenant:
        return self.tenants[ASKER]

    @property
    def victim(self) -> Tenant:
        return self.tenants[VICTIM]


@contextmanager
def opened_world(url: str, *, with_victim: bool) -> Iterator[World]:
    """An installation at a migrated database. Everything is done in the same order and at the same time in each; the
    victim comes last, so that nobody else's numbers move.
    """
    clock = Clock()
    flags = {"database.url": url, "auth.key_cache_secs": 1}
    with ExitStack() as stack:
        application = open_application(load_settings(environment={}, flags=flags), clock)
        cheap = Argon2Passwords(CHEAP)
        tools = replace(application.login_tools, passwords=cheap, mailer=KeptLetters(), post=at_once)
        application = replace(application, login_tools=tools)
        stack.callback(application.close)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(refusals, "SHORTEST_SECONDS", HOURS)  # they are stored when we say so, in both installations
        patch.setattr(channels, "MAX_CHANNELS", MANY)
        patch.setattr(Limiter, "patience", lambda *_: 0.0)  # strangers fail thousands of times here, and need not wait
        server = stack.enter_context(serving(application))
        server.keys["owner"] = server.make_key(None, kind="admin")
        share_in(server)
        world = World(server, url, clock, {})
        for name in (ASKER, IDLE):
            world.tenants[name] = Tenant(server, name, clock, clock.step, MAKERS)
            settle_in(world.tenants[name], full=name == ASKER)
        if with_victim:
            world.tenants[VICTIM] = Tenant(server, VICTIM, clock, clock.step, MAKERS)
            with far_numbers(url):
                settle_in(world.victim, full=True)
        clock.now = START + timedelta(hours=1)
        yield world
