"""What a benchmark found: figures, each beside its target where it has one, as a Markdown table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Target:
    """A bound that a figure has to keep: at least, or at most."""

    bound: float
    at_least: bool = True

    def holds(self, value: float) -> bool:
        """Whether a figure keeps it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.bound)}"


def at_least(bound: float) -> Target:
    """A figure that must not be smaller."""
    return Target(bound)


def at_most(bound: float) -> Target:
    """A figure that must not be larger."""
    return Target(bound, at_least=False)


@dataclass(frozen=True)
class Row:
    """One figure. `unit` is said beside it; `note` says what else a reader has to know."""

    what: str
    value: float
    unit: str = ""
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.target is None else self.target.holds(self.value)


@dataclass(frozen=True)
class Report:
    """The rows of one benchmark, under a title, with what was true of this run only."""

    title: str
    rows: Sequence[Row]
    remarks: Sequence[str] = field(default=())

    def markdown(self) -> str:
        """A table that can be pasted into a document."""
        lines = [f"### {self.title}", "", "| What | Figure | Target | Met | Note |", "|---|---:|---:|---|---|"]
        for row in self.rows:
            verdict = {None: "", True: "yes", False: "**NO**"}[row.met]
            figure = f"{shown(row.value)} {row.unit}".strip()
            lines.append(f"| {row.what} | {figure} | {row.target or ''} | {verdict} | {row.note} |")
        return "\n".join([*lines, *(f"\n{remark}" for remark in self.remarks)])

    def save(self, name: str, conditions: Mapping[str, Any]) -> Path:
        """Write `results/<name>.json`."""
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / ".gitignore").write_text("*\n")
        path = RESULTS / f"{name}.json"
        rows = [asdict(row) | {"met": row.met} for row in self.rows]
        content = {
            "title": self.title,
            "conditions": dict(conditions),
            "rows": rows,
            "remarks": list(self.remarks),
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return path


def shown(value: float) -> str:
    """A figure with three digits that mean something, and thousands apart.

    >>> shown(0.12345), shown(12.345), shown(1234567.8), shown(3)
    ('0.123', '12.3', '1,234,568', '3')
    """
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def missed(reports: Sequence[Report]) -> list[str]:
    """What did not reach its target, in words."""
    return [
        f"{report.title}: {row.what} is {shown(row.value)} {row.unit}, target {row.target}"
        for report in reports
        for row in report.rows
        if row.met is False
    ]
