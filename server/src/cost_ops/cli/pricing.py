"""`cost-ops pricing`: what models cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.pricing_review import review
from cost_ops.cli.session import Session, pass_session


@click.group(
    cls=Group,
    examples=(
        "cost-ops pricing add --provider openai --model gpt-4 --input-price 10.0 --output-price 30.0",
        "cost-ops pricing list --provider openai",
        "cost-ops pricing sync-latest --dry-run",
    ),
)
def pricing() -> None:
    """Prices: add, look up, change, end, and import the catalogue. Prices are per million tokens.

    A price added without --organization is the installation's: it holds for every organisation without its own.
    """


def _rate_options(command: Any) -> Any:
    for option in (
        click.option("--end-date", metavar="TIME", help="valid until then; a date or an RFC 3339 time"),
        click.option("--effective-date", metavar="TIME", help="valid from then; a date or an RFC 3339 time"),
        click.option("--currency", metavar="CODE", help="ISO 4217 code; USD by default"),
        click.option("--rates", "rates_path", metavar="FILE", help="all rates as JSON, instead of the price options"),
        click.option("--cache-write-price", metavar="PRICE", help="of a million tokens written to a cache"),
        click.option("--cached-price", metavar="PRICE", help="of a million tokens read from a cache"),
        click.option("--output-price", metavar="PRICE", help="of a million output tokens"),
        click.option("--input-price", metavar="PRICE", help="of a million input tokens"),
    ):
        command = option(command)
    return command


@pricing.command(
    examples=(
        "cost-ops pricing add --provider openai --model gpt-4 --input-price 10.0 --output-price 30.0",
        "cost-ops pricing add --provider custom --model my-local-llm --input-price 0.0 --output-price 0.0",
        "cost-ops pricing add --provider openai --model gpt-4 --input-price 5 --output-price 15 "
        "--effective-date 2025-02-01",
    )
)
@click.option("--provider", required=True, metavar="NAME")
@click.option("--model", required=True, metavar="NAME", help="a model id; * stands for any characters")
@_rate_options
@pass_session
def add(session: Session, /, *, provider: str, model: str, **given: str | None) -> None:
    """Add a price; usage that waited for one is priced.

    The first price of a model covers the past; a later one is valid from now or its date, and the older one ends there.
    """
    from cost_ops.cli.prices import price_fields, show_added

    fields = {"provider": provider, "model_id": model, **price_fields(given)}
    show_added(session.output, session.backend.pricing.add(session.named_organization, fields))


@pricing.command(
    examples=(
        "cost-ops pricing get price-12",
        "cost-ops pricing get --provider openai --model gpt-4 --at 2025-01-15",
    )
)
@click.argument("price_id", required=False)
@click.option("--provider", metavar="NAME")
@click.option("--model", metavar="NAME")
@click.option("--at", metavar="TIME", help="a date or an RFC 3339 time; now by default")
@pass_session
def get(session: Session, /, *, price_id: str | None, provider: str | None, model: str | None, at: str | None) -> None:
    """Show one price: by its id, or the one that a call would have."""
    from cost_ops.cli.prices import show_price, utc_instant

    if price_id is not None:
        if provider or model or at:
            raise click.UsageError("give either a price id or --provider and --model")
        found = session.backend.pricing.get(session.organization, price_id)
    elif provider and model:
        instant = utc_instant(at, "at")
        found = session.backend.pricing.effective(session.organization, provider, model, instant)
    else:
        raise click.UsageError("give a price id, or --provider and --model")
    show_price(session.output, found)


@pricing.command("list", examples=("cost-ops pricing list --provider openai", "cost-ops pricing list --all -o csv"))
@click.option("--provider", metavar="NAME")
@click.option("--model", metavar="NAME")
@click.option("--all", "everything", is_flag=True, help="ended and future prices too")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="rows at most")
@pass_session
def list_prices(session: Session, /, *, provider: str | None, model: str | None, everything: bool, limit: int) -> None:
    """List the prices that are valid now."""
    from cost_ops.cli.backend import PriceSearch
    from cost_ops.cli.prices import show_prices

    wanted = PriceSearch(provider, model, everything, limit)
    found, total = session.backend.pricing.search(session.organization, wanted)
    show_prices(session.output, found, total)


@pricing.command(examples=("cost-ops pricing update price-12 --input-price 5 --output-price 15",))
@click.argument("price_id")
@_rate_options
@pass_session
def update(session: Session, /, *, price_id: str, **given: str | None) -> None:
    """Make a new version of a price; the old one ends where it begins, and what it priced stays as it is."""
    from cost_ops.cli.prices import price_fields, show_added

    fields = price_fields(given)
    show_added(session.output, session.backend.pricing.revise(session.named_organization, price_id, fields))


@pricing.command(examples=("cost-ops pricing delete price-12", "cost-ops pricing delete price-12 --at 2025-12-31"))
@click.argument("price_id")
@click.option("--at", metavar="TIME", help="a date or an RFC 3339 time; now by default")
@pass_session
def delete(session: Session, /, *, price_id: str, at: str | None) -> None:
    """End a price. What it priced stays as it is; nothing is priced with it after its end."""
    from cost_ops.cli.prices import show_price, utc_instant

    found = session.backend.pricing.end(session.named_organization, price_id, utc_instant(at, "at"))
    show_price(session.output, found)
    session.output.notice(f"{found['id']} ends at {found['end_date']}.")


@pricing.command(
    "sync-latest",
    examples=(
        "cost-ops pricing sync-latest --dry-run",
        "cost-ops pricing sync-latest --source genai-prices --source litellm=model_prices.json",
        "cost-ops pricing sync-latest --source litellm.json --source models-dev.json --provider openai -o csv",
        "cost-ops pricing sync-latest --accept gpt-4",
    ),
)
@click.option(
    "--source",
    "--file",
    "named",
    multiple=True,
    metavar="PATH_OR_URL",
    help="prices of genai-prices, LiteLLM or models.dev, or a price list; repeat it to compare several. "
    "`litellm=FILE` insists on a kind, `genai-prices` is the installed package, which is also the default",
)
@click.option("--sha256", "hashes", multiple=True, metavar="HEX", help="what the n-th source must hash to")
@click.option("--provider", metavar="NAME", help="only this provider's prices")
@click.option("--dry-run", is_flag=True, help="show what would change, and write nothing")
@click.option(
    "--accept",
    multiple=True,
    is_flag=False,
    flag_value="all",
    metavar="MODEL",
    help="apply large changes of this model too; `all`, or no name, means every model",
)
@pass_session
def sync_latest(
    session: Session,
    /,
    *,
    named: Sequence[str],
    hashes: Sequence[str],
    provider: str | None,
    dry_run: bool,
    accept: Sequence[str],
) -> None:
    """Import the catalogue's latest prices. Nothing is edited: a new price begins, and the older one ends there.

    With several sources a price that two of them state is confirmed; where they disagree the first in rank
    (genai-prices, LiteLLM, models.dev) is published as provisional, and `pricing review` asks you. A change by more
    than half, or to zero, waits for --accept or a review.
    """
    from cost_ops.cli.backend import SourceGiven, SyncWanted
    from cost_ops.cli.price_sync import show_sync

    if len(hashes) > len(named):
        raise click.UsageError("--sha256 belongs to a --source: there are more of them than sources")
    hashed = [*hashes, *[None] * (len(named) - len(hashes))]
    sources = tuple(SourceGiven(text, sha256) for text, sha256 in zip(named, hashed, strict=True))
    wanted = SyncWanted(sources, tuple(accept), provider, dry_run)
    show_sync(session.output, session.backend.pricing.sync(wanted), dry_run=dry_run)


@pricing.command(examples=("cost-ops pricing unpriced", "cost-ops pricing unpriced -o csv"))
@pass_session
def unpriced(session: Session) -> None:
    """List usage that has no known cost, by model, with an estimate of what it may cost. Adding a price prices it."""
    from cost_ops.cli.unpriced import show_unpriced

    show_unpriced(session.output, session.backend.pricing.unpriced(session.organization))


@pricing.command(
    examples=(
        "cost-ops pricing history claude-sonnet-4-5 --provider anthropic",
        "cost-ops pricing history gpt-4o --provider openai --meter input_cache_read -o csv",
    )
)
@click.argument("model")
@click.option("--provider", metavar="NAME", help="needed where several providers have a model of this name")
@click.option("--meter", metavar="NAME", help="only this meter; input and output by default")
@pass_session
def history(session: Session, /, *, model: str, provider: str | None, meter: str | None) -> None:
    """Draw a model's price over time: what a call would have cost, since when, and according to whom."""
    from cost_ops.cli.price_history import show_history

    steps = session.backend.pricing.history(session.organization, provider, model)
    show_history(session.output, steps, meter)


pricing.add_command(review)
