"""`cost-ops pricing review`: prices that wait for a person."""

from __future__ import annotations

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

_STATUSES = ("open", "accepted", "dismissed", "superseded", "all")
_KINDS = ("disagreement", "jump", "zero")


@click.group(
    cls=Group,
    examples=("cost-ops pricing review list", "cost-ops pricing review accept 12"),
)
def review() -> None:
    """Prices that wait for you: sources disagree, or a change is too large to be applied unseen."""


@review.command("list", examples=("cost-ops pricing review list", "cost-ops pricing review list --kind jump -o csv"))
@click.option("--status", type=click.Choice(_STATUSES), default="open", show_default=True)
@click.option("--kind", type=click.Choice(_KINDS), help="why it waits; any by default")
@click.option("--provider", metavar="NAME")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="rows at most")
@pass_session
def list_reviews(session: Session, /, *, status: str, kind: str | None, provider: str | None, limit: int) -> None:
    """List what waits, oldest first."""
    from cost_ops.cli.backend import ReviewSearch
    from cost_ops.cli.price_reviews import show_reviews

    wanted = ReviewSearch(None if status == "all" else status, kind, provider, limit)
    found, total = session.backend.pricing.reviews(wanted)
    show_reviews(session.output, found, total)


@review.command(examples=("cost-ops pricing review show 12",))
@click.argument("review_id", metavar="ID")
@pass_session
def show(session: Session, /, *, review_id: str) -> None:
    """Show one with all opinions side by side, and where each comes from."""
    from cost_ops.cli.price_reviews import show_review

    show_review(session.output, session.backend.pricing.review(review_id))


@review.command(examples=("cost-ops pricing review accept 12", "cost-ops pricing review accept 12 --opinion 3"))
@click.argument("review_id", metavar="ID")
@click.option(
    "--opinion", type=click.IntRange(1), metavar="N", help="which one, as `show` numbers them; else what waits"
)
@pass_session
def accept(session: Session, /, *, review_id: str, opinion: int | None) -> None:
    """Apply what waits as a new price from now on; the one that holds ends there."""
    from cost_ops.cli.price_reviews import show_accepted

    show_accepted(session.output, session.backend.pricing.accept_review(review_id, opinion))


@review.command(examples=("cost-ops pricing review dismiss 12",))
@click.argument("review_id", metavar="ID")
@pass_session
def dismiss(session: Session, /, *, review_id: str) -> None:
    """Leave the price as it is; you are not asked again while the sources say the same."""
    from cost_ops.cli.price_reviews import show_review

    show_review(session.output, session.backend.pricing.dismiss_review(review_id))
