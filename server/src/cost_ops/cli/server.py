"""`cost-ops server`: the HTTP server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from cost_ops.settings import Settings


@click.command(
    cls=Command,
    examples=(
        "cost-ops server",
        "cost-ops server --bind 0.0.0.0 --port 8080 --workers 4 --database-url postgresql://user:password@db/costops",
    ),
)
@click.option("--bind", metavar="ADDRESS", help="address to listen on; 127.0.0.1 by default")
@click.option("--port", type=click.IntRange(0, 65_535), help="port to listen on; 8080 by default")
@click.option("--workers", type=click.IntRange(1, 256), help="processes; 1 by default")
@pass_session
def server(session: Session, /, *, bind: str | None, port: int | None, workers: int | None) -> None:
    """Serve the HTTP API until interrupted."""
    from cost_ops.cli.direct.backend import open_ready

    settings = session.settings
    wanted = replace(
        settings.server,
        bind=bind or settings.server.bind,
        port=settings.server.port if port is None else port,
        workers=workers or settings.server.workers,
    )
    settings = replace(settings, server=wanted)
    open_ready(settings).close()
    serve(settings)


def serve(settings: Settings) -> None:
    """Listen and serve. Raises Refused where the port is taken."""
    from cost_ops.cli.errors import Refused

    if not port_is_free(settings.server.bind, settings.server.port):
        where = f"{settings.server.bind}:{settings.server.port}"
        raise Refused(
            f"Something listens on {where} already (another cost-ops server?). Stop it, or choose another port "
            "with --port."
        )
    from cost_ops.api.server import run
    from cost_ops.workers.inside import make_runner

    run(settings, make_runner if settings.jobs.in_server else None)


def port_is_free(bind: str, port: int) -> bool:
    """Whether a server could listen there. Port 0 stands for any free one."""
    import socket

    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError:
            return False
    return True
