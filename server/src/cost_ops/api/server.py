"""Serving: uvicorn with one or several processes, and an end that loses nothing.

On SIGTERM or SIGINT the server stops accepting, answers what it has begun, writes what waits, and only then ends.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from cost_ops.api.app import create_app
from cost_ops.api.background import MakeBackground
from cost_ops.api.gateway import AsgiApp
from cost_ops.bootstrap import open_application
from cost_ops.logs import configure, logger
from cost_ops.settings import Settings

SWITCH_SECONDS = 0.0005
"""How long one thread may hold the interpreter: short, so that /health stays quick while the committer computes."""

COLLECT_AFTER = (50_000, 20, 1000)
"""When to look for garbage cycles: a batch makes many objects that live shortly and have none, and a full collection
in the midst of one was measured to stop everything for up to 0.2 s.
"""

_DRAIN_SECONDS = 60


def run(settings: Settings, background: MakeBackground | None = None) -> None:
    """Serve until told to stop, `background` beside in every process. Raises Unavailable where there is no database."""
    configure(settings.logging)
    config = configuration(settings, background)
    log = logger("cost_ops.server")
    log.info("starting", address=f"http://{settings.server.bind}:{settings.server.port}", workers=config.workers)
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn hands the signal on when it has ended; by then it has done its work.
        signal.signal(number, lambda _number, _frame: None)
    if settings.server.workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        uvicorn.Server(config).run()
    log.info("stopped")


def configuration(settings: Settings, background: MakeBackground | None = None) -> uvicorn.Config:
    """How uvicorn is to serve these settings; each worker opens the database for itself."""
    return uvicorn.Config(
        partial(worker_app, settings, background),
        factory=True,
        host=settings.server.bind,
        port=settings.server.port,
        workers=settings.server.workers,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # we believe X-Forwarded-For of `server.trusted_proxies` only
        date_header=True,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def worker_app(settings: Settings, background: MakeBackground | None = None) -> AsgiApp:
    """The application of one process."""
    configure(settings.logging)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    return create_app(open_application(settings), owned=True, background=background)
