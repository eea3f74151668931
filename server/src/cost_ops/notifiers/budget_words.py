"""What is told about a budget: one section for all that happened to it in a period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cost_ops.domain.alert_events import ACKNOWLEDGED, ESCALATED, FORECAST_EXCEEDED, RECOVERED, THRESHOLD_EXCEEDED
from cost_ops.domain.delivering import severity_of
from cost_ops.domain.notifications import BUDGET_EVENTS
from cost_ops.interfaces.notifications import Message
from cost_ops.notifiers.notices import Section
from cost_ops.notifiers.plain_words import (
    amount,
    counted,
    decimals_of,
    moment,
    on_day,
    percent,
    plain,
    said,
    share,
    time_left,
)

EVENTS = frozenset(BUDGET_EVENTS)
_GOOD_NEWS = frozenset({RECOVERED, ACKNOWLEDGED})
_FULL = Decimal(1)


def budget_key(message: Message) -> str:
    """The same for all messages about one budget in one period."""
    data = message.data
    period = data.get("period_start") or data.get("period_label") or ""
    return f"{message.organization_id}/{data.get('budget_id', '')}/{period}"


def speaker_of(messages: Sequence[Message]) -> Message:
    """Which of the messages about one budget and period is to be told: good news if it came last, else the worst."""
    ordered = sorted(messages, key=lambda message: message.at)
    last = ordered[-1]
    if last.event == RECOVERED:
        together = [message for message in ordered if message.event == RECOVERED and message.at == last.at]
        return min(together, key=_threshold)
    if last.event in _GOOD_NEWS:
        return last
    since = max((n + 1 for n, message in enumerate(ordered) if message.event == RECOVERED), default=0)
    still = [message for message in ordered[since:] if message.event != ACKNOWLEDGED]
    return max(
        still, key=lambda message: (severity_of(message.event, message.data).rank, _threshold(message), message.at)
    )


def budget_section(messages: Sequence[Message]) -> Section:
    """What to tell of one budget and period; `messages` has at least one."""
    message = speaker_of(messages)
    budget = _read(message)
    said_already = {_threshold(message), Decimal(0)}
    others = sorted({_threshold(m) for m in messages if m.event in (THRESHOLD_EXCEEDED, ESCALATED)} - said_already)
    lower = [percent(value) for value in others if message.event == FORECAST_EXCEEDED or value < _threshold(message)]
    return Section(
        title=_title(message, budget),
        severity=severity_of(message.event, message.data),
        lines=(_sentence(message, budget), *_remarks(message, budget, lower)),
        facts=tuple(_facts(message, budget)),
        used=budget.used,
        link=link_of(message.data),
        key=budget_key(message),
    )


def link_of(data: Mapping[str, Any]) -> str:
    """Where to look, if the event says so with a plain web address."""
    url = data.get("url")
    if not isinstance(url, str) or len(url) > 500 or not url.isascii() or not url.isprintable() or " " in url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


@dataclass(frozen=True, slots=True)
class _Budget:
    name: str
    currency: str
    spent: Decimal | None
    limit: Decimal | None
    label: str
    end: datetime | None
    hard: bool
    zone: tzinfo

    @property
    def used(self) -> int | None:
        """Percent used, rounded down."""
        return None if self.spent is None or self.limit is None else share(self.spent, self.limit)

    def money(self, number: Decimal) -> str:
        """An amount with the decimals that the limit has, so that the two can be compared."""
        return amount(number, self.currency, 2 if self.limit is None else decimals_of(self.limit))


def _read(message: Message) -> _Budget:
    data = message.data
    return _Budget(
        name=plain(str(data.get("budget_name") or data.get("budget_id") or "without a name")),
        currency=plain(str(data.get("currency") or ""), 3),
        spent=_money(data.get("current_spend")),
        limit=_money(data.get("limit")),
        label=plain(str(data.get("period_label") or "")),
        end=_instant(data.get("period_end")),
        hard=data.get("enforcement") == "hard",
        zone=_zone(data.get("timezone")),
    )


def _title(message: Message, budget: _Budget) -> str:
    name = f'Budget "{budget.name}"'
    limit = "its limit" if budget.limit is None else budget.money(budget.limit)
    threshold = _threshold(message)
    if message.event == FORECAST_EXCEEDED:
        return f"{name} is heading over {limit}"
    if message.event == RECOVERED:
        return f"{name} is back below {percent(threshold)} of {limit}" if threshold else f"{name} has recovered"
    if message.event == ACKNOWLEDGED:
        return f"{name}: alert acknowledged"
    if threshold < _FULL:
        passed = f"{name} has reached {percent(threshold)} of {limit}"
    elif budget.spent is not None and budget.limit is not None and budget.spent > budget.limit:
        passed = f"{name} is over {limit}"
    else:
        passed = f"{name} has reached {limit}"
    return f"Not acknowledged: {passed[0].lower()}{passed[1:]}" if message.event == ESCALATED else passed


def _sentence(message: Message, budget: _Budget) -> str:
    period = f" in {budget.label}" if budget.label else ""
    if budget.spent is None or budget.limit is None:
        return f"{_title(message, budget)}{period}."
    parts = [f"{budget.money(budget.spent)} spent"]
    if budget.spent > budget.limit:
        parts.append(f"{budget.money(budget.spent - budget.limit)} over")
    if budget.end is not None:
        parts.append(time_left(message.at, budget.end))
    rate = _rate(message, budget)
    used = f'Budget "{budget.name}" has used {budget.used:,} % of {budget.money(budget.limit)}{period}'
    return f"{used}: {', '.join(parts)}{'; ' + rate if rate else ''}."


def _rate(message: Message, budget: _Budget) -> str:
    """What comes of it at this rate; empty where it is past, unknown or good news."""
    over = budget.end is not None and budget.end <= message.at
    full = budget.spent is not None and budget.limit is not None and budget.spent >= budget.limit
    if over or message.event in _GOOD_NEWS:
        return ""
    exceeded_at = _instant(message.data.get("projected_exceeded_at"))
    projected = _money(message.data.get("projected_spend"))
    if exceeded_at is not None and not full:
        return f"at this rate 100 % {on_day(exceeded_at, message.at, budget.zone)}"
    return "" if projected is None else f"at this rate {budget.money(projected)} by the end"


def _remarks(message: Message, budget: _Budget, lower: list[str]) -> Iterator[str]:
    data = message.data
    fired_at = _instant(data.get("fired_at"))
    if message.event == ESCALATED:
        when = f" of {moment(fired_at, budget.zone)}" if fired_at else ""
        yield f"Nobody has acknowledged the alert{when}."
    if message.event == ACKNOWLEDGED and (who := data.get("acknowledged_by")):
        comment = f": {plain(str(data['comment']), 200)}" if data.get("comment") else "."
        yield f"{plain(str(who))} has seen it{comment}"
    full = budget.spent is not None and budget.limit is not None and budget.spent >= budget.limit
    if budget.hard and full and message.event not in _GOOD_NEWS:
        yield "Its limit is hard: nothing more can be reserved from it in this period."
    if lower:
        yield f"It has also passed {' and '.join([', '.join(lower[:-1])] * bool(lower[:-1]) + lower[-1:])}."
    if data.get("late") is True:
        yield "Part of this came in late, or was priced again, after the period was over."
    unpriced = data.get("unpriced_requests")
    if isinstance(unpriced, int) and unpriced > 0:
        verb = "has no known price and is" if unpriced == 1 else "have no known price and are"
        yield f"{counted(unpriced, 'request')} {verb} not in this."


def _facts(message: Message, budget: _Budget) -> Iterator[tuple[str, str]]:
    data = message.data
    if budget.spent is not None and budget.limit is not None:
        yield "Spent", f"{budget.money(budget.spent)} of {budget.money(budget.limit)} ({budget.used:,} %)"
        rest = budget.limit - budget.spent
        yield ("Left", budget.money(rest)) if rest >= 0 else ("Over by", budget.money(-rest))
    held = _money(data.get("held"))
    if held:
        yield "Reserved", budget.money(held)
    if budget.label:
        left = f" ({time_left(message.at, budget.end)})" if budget.end else ""
        yield "Period", f"{budget.label}{left}"
    projected = _money(data.get("projected_spend"))
    if projected is not None and message.event not in _GOOD_NEWS:
        yield "At this rate", f"{budget.money(projected)} by the end"
    if message.event in (THRESHOLD_EXCEEDED, ESCALATED) and _threshold(message):
        yield "Threshold", percent(_threshold(message))
    scope = data.get("scope")
    if isinstance(scope, Mapping) and scope:
        yield "Counts", said(scope)


def _threshold(message: Message) -> Decimal:
    """The threshold in question; 0 where there is none, and for forecasts, which have passed nothing yet."""
    if message.event == FORECAST_EXCEEDED:
        return Decimal(0)
    return _money(message.data.get("threshold")) or Decimal(0)


def _money(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _zone(name: Any) -> tzinfo:
    if not isinstance(name, str) or not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
