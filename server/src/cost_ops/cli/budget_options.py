"""The options that say what a budget is, and the API's fields that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import rich_click as click

F = TypeVar("F", bound=Callable[..., Any])
_SCOPES = {
    "provider": "provider",
    "model": "model",
    "project": "project",
    "user": "user",
    "team": "team",
    "key": "api_key",
}
_INSTANTS = {
    "start": "start_date",
    "end": "end_date",
    "effective_from": "effective_from",
    "effective_to": "effective_to",
}
_PLAIN = (
    "name", "amount", "currency", "period", "timezone", "period_days", "anchor_date", "fiscal_year_start",
    "fiscal_pattern", "enforcement", "escalate_after_minutes", "forecast_alerts",
)  # fmt: skip


def budget_options(command: F) -> F:
    """Everything that a budget can be made of."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--name", metavar="TEXT", help="what people call it; made from period and scope by default"),
    click.option("--amount", metavar="N", help="how much may be spent in a period"),
    click.option("--currency", metavar="CODE", help="USD by default; others are converted by their day's rate"),
    click.option("--period", metavar="P", help="hourly, daily, weekly, monthly, quarterly, yearly, once, or '14 days'"),
    click.option("--timezone", metavar="ZONE", help="IANA zone of the periods; UTC by default"),
    click.option("--period-days", type=int, metavar="N", help="with --period days: how many"),
    click.option("--anchor-date", metavar="DATE", help="first day of some period of days; its weekday begins weeks"),
    click.option("--fiscal-year-start", metavar="MM-DD", help="first day of the fiscal year"),
    click.option("--fiscal-pattern", metavar="W", help="weeks of a fiscal quarter's months: 4-4-5, 4-5-4, 5-4-4"),
    click.option("--start", metavar="TIME", help="with --period once: a date or an RFC 3339 time"),
    click.option("--end", metavar="TIME", help="with --period once: the end, not included"),
    *(
        click.option(f"--{name}", multiple=True, metavar="NAME", help=f"only this {name}; repeat it for any of several")
        for name in ("provider", "model", "project", "user", "team")
    ),
    click.option("--key", multiple=True, metavar="ID", help="only usage of this API key; repeatable"),
    click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="only usage with this tag; repeatable"),
    click.option(
        "--threshold",
        "thresholds",
        multiple=True,
        metavar="N",
        help="tell people at this part: 0.75 or 75%; repeatable; 0.5, 0.75, 0.9 and 1 by default",
    ),
    click.option(
        "--hard/--soft", "hard", default=None, help="refuse reservations beyond the limit, or tell people only"
    ),
    click.option("--parent", metavar="BUDGET", help="the budget above, by id or name; none: of no other"),
    click.option("--rollover", metavar="WORD", help="what a period hands on: none, unused, overspent, both"),
    click.option("--rollover-limit", metavar="N", help="at most so much of it"),
    click.option(
        "--phase",
        "phases",
        multiple=True,
        metavar="TIME=N",
        help="another amount for periods from a date on: 2027-01-01=6000; repeatable",
    ),
    click.option("--effective-from", metavar="TIME", help="usage before is not counted"),
    click.option("--effective-to", metavar="TIME", help="nor usage from then on"),
    click.option("--escalate-after-minutes", type=int, metavar="N", help="tell the next in line without an answer"),
    click.option(
        "--forecast-alerts/--no-forecast-alerts",
        default=None,
        help="tell where the present rate leads beyond the limit",
    ),
)


def budget_fields(given: Mapping[str, Any], zone: str = "UTC") -> dict[str, Any]:
    """The API's fields of those options that were given, but `parent`. Dates are midnight in the budget's zone."""
    from cost_ops.domain.errors import InvalidInput
    from cost_ops.domain.periods import format_instant, parse_date_or_instant, parse_zone

    try:
        named = parse_zone(given.get("timezone") or zone)
    except InvalidInput:  # it is named with all else that is wrong
        named = parse_zone("UTC")

    def instant(text: str, name: str) -> str:
        return format_instant(parse_date_or_instant(text, name, named))

    fields = {name: given[name] for name in _PLAIN if given.get(name) is not None}
    if given.get("hard") is not None:
        fields["enforcement"] = "hard" if given["hard"] else "soft"
    fields |= {field: instant(given[name], field) for name, field in _INSTANTS.items() if given.get(name)}
    if scope := _scope(given):
        fields["scope"] = scope
    if given.get("thresholds"):
        fields["alert_thresholds"] = [_threshold(text) for text in given["thresholds"]]
    if given.get("rollover") or given.get("rollover_limit"):
        fields["rollover"] = _rollover(given.get("rollover"), given.get("rollover_limit"))
    if given.get("phases"):
        fields["phases"] = [_phase(text, instant) for text in given["phases"]]
    return fields


def _scope(given: Mapping[str, Any]) -> dict[str, list[str]]:
    scope = {dimension: list(given[name]) for name, dimension in _SCOPES.items() if given.get(name)}
    for key, value in pairs_of(given.get("tags", ()), "--tag"):
        scope.setdefault(f"tag:{key}", []).append(value)
    return scope


def pairs_of(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    """KEY=VALUE, taken apart."""
    found = []
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark or not key:
            raise click.BadParameter(f"{text[:60]!r} is not KEY=VALUE", param_hint=f"'{option}'")
        found.append((key, value))
    return found


def _threshold(text: str) -> Any:
    from cost_ops.domain.money import parse_decimal

    if not text.endswith("%"):
        return text
    try:
        return parse_decimal(text.removesuffix("%")) * Decimal("0.01")
    except ValueError:
        return text


def _rollover(word: str | None, limit: str | None) -> Any:
    if limit is None:
        return word
    word = word or "both"
    if word not in ("unused", "overspent", "both"):
        raise click.UsageError("--rollover-limit goes with --rollover unused, overspent or both")
    return {"unused": word != "overspent", "overspent": word != "unused", "limit": limit}


def _phase(text: str, instant: Callable[[str, str], str]) -> dict[str, str]:
    [(start, amount)] = pairs_of([text], "--phase")
    return {"start_date": instant(start, "phases"), "amount": amount}
