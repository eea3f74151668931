"""`cost-ops pricing`: what models cost."""

from __future__ import annotations

from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
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
        "cost-ops pricing sync-latest",
        "cost-ops pricing sync-latest --file prices.json --dry-run",
        "cost-ops pricing sync-latest --accept",
    ),
)
@click.option(
    "--file", "source", metavar="FILE", help="a price list or genai-prices' data instead of what is installed"
)
@click.option("--dry-run", is_flag=True, help="show what would change, and write nothing")
@click.option("--accept", is_flag=True, help="apply changes of more than half of a price too")
@pass_session
def sync_latest(session: Session, /, *, source: str | None, dry_run: bool, accept: bool) -> None:
    """Import the catalogue's latest prices. Nothing is edited: a new price begins, and the older one ends there."""
    from cost_ops.cli.prices import show_sync

    show_sync(session.output, session.backend.pricing.sync(source, accept=accept, dry_run=dry_run), dry_run=dry_run)


@pricing.command(examples=("cost-ops pricing unpriced",))
@pass_session
def unpriced(session: Session) -> None:
    """List usage that has no known cost, by model. Adding a price prices it."""
    from cost_ops.cli.prices import show_unpriced

    show_unpriced(session.output, session.backend.pricing.unpriced(session.organization))
