"""From events to a message for people: everything about one budget together, the worst first, ten at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cost_ops.domain.notifications import TEST_EVENT, Severity
from cost_ops.interfaces.notifications import Message
from cost_ops.notifiers.budget_words import EVENTS, budget_key, budget_section, link_of
from cost_ops.notifiers.notices import Notice, Section
from cost_ops.notifiers.plain_words import counted, plain, said

MOST_SECTIONS = 10
MOST_FACTS = 20

_TITLES = {
    "export.completed": "An export is ready",
    "report.generated": "A report is ready",
    "pricing.updated": "Prices have changed",
    "forecast.anomaly_detected": "Unusual spend",
    TEST_EVENT: "Test message from LLM Cost Ops",
}
_WARNINGS = frozenset({"forecast.anomaly_detected"})


def grouped(messages: Sequence[Message]) -> list[list[Message]]:
    """The messages by what they are about, in the order in which that first appears."""
    groups: dict[str, list[Message]] = {}
    for message in messages:
        key = budget_key(message) if message.event in EVENTS else message.delivery_id
        groups.setdefault(key, []).append(message)
    return list(groups.values())


def section_of(group: Sequence[Message]) -> Section:
    """What to tell of one thing."""
    return budget_section(group) if group[0].event in EVENTS else _generic(group[0])


def render(messages: Sequence[Message]) -> Notice:
    """One message that says what all of them say; there is at least one."""
    sections = [section_of(group) for group in grouped(messages)]
    sections.sort(key=lambda section: (-section.severity.rank, -(section.used or 0), section.title))
    organization = plain(messages[0].organization_name or messages[0].organization_id)
    return Notice(
        title=_title(sections, organization),
        severity=sections[0].severity,
        sections=tuple(sections if len(sections) == 1 else map(_short, sections[:MOST_SECTIONS])),
        organization=organization,
        at=max(message.at for message in messages),
        more=max(0, len(sections) - MOST_SECTIONS),
    )


def _short(section: Section) -> Section:
    """One of several: what stands in a table of facts is left out, but where nothing else is said."""
    return replace(section, facts=()) if section.key else section


def _title(sections: Sequence[Section], organization: str) -> str:
    if len(sections) == 1:
        return sections[0].title
    if not all(section.key for section in sections):
        return f"{organization}: {counted(len(sections), 'message')}"
    counts = [
        (sum(section.severity is Severity.CRITICAL for section in sections), "at or over their limit"),
        (sum(section.severity is Severity.WARNING for section in sections), "close to it"),
    ]
    parts = [f"{count} {what}" for count, what in counts if count]
    return f"{organization}: {', '.join([counted(len(sections), 'budget'), *parts])}"


def _generic(message: Message) -> Section:
    title = _TITLES.get(message.event) or plain(message.event.replace(".", " ").replace("_", " ")).capitalize()
    lines = [title + "."]
    if message.event == TEST_EVENT:
        organization = plain(message.organization_name or message.organization_id)
        lines = [f"This is a test. What happens in {organization} will be told here."]
    facts = [
        (plain(str(label).replace("_", " ")).capitalize(), said(value))
        for label, value in message.data.items()
        if label != "url"
    ]
    severity = Severity.WARNING if message.event in _WARNINGS else Severity.INFO
    return Section(title, severity, tuple(lines), tuple(facts[:MOST_FACTS]), None, link_of(message.data))
