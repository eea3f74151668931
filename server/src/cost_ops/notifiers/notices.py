"""What a message to people says, as plain values: each sender puts them into its own form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cost_ops.domain.notifications import Severity


@dataclass(frozen=True, slots=True)
class Section:
    """One thing that is told. All of it is plain text on one line each; nothing is escaped yet."""

    title: str
    severity: Severity
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    used: int | None = None
    """Percent used, rounded down: a bar, where there is one."""

    link: str = ""
    key: str = ""
    """The same for all that is told of one budget and period: what threads and incidents go by."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message: what matters most comes first. `more` things are left out."""

    title: str
    severity: Severity
    sections: tuple[Section, ...]
    organization: str
    at: datetime
    more: int = 0

    @property
    def more_line(self) -> str:
        """That more was to tell; empty where nothing was left out."""
        return f"and {self.more} more" if self.more else ""

    @property
    def footer(self) -> str:
        """Who sends this, and for whom."""
        return f"Sent by LLM Cost Ops for {self.organization.rstrip('.')}."

    @property
    def link(self) -> str:
        """Where to look, if there is one place."""
        return self.sections[0].link if len(self.sections) == 1 else ""


def text_of(notice: Notice) -> str:
    """The message as plain text."""
    parts = ["\n".join(_lines(section)) for section in notice.sections]
    if notice.more_line:
        parts.append(notice.more_line)
    return "\n\n".join([*parts, notice.footer]) + "\n"


def _lines(section: Section) -> list[str]:
    lines = [section.title, *section.lines]
    lines += [f"  {label}: {value}" for label, value in section.facts]
    if section.link:
        lines.append(f"  {section.link}")
    return lines
