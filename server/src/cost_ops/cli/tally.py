"""What became of the records of ingested files: counted while they are recorded, and told at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cost_ops.cli.backend import Taken
    from cost_ops.cli.output import Table

MAX_SHOWN = 20


class Place(NamedTuple):
    """Where a record stands: `unit` is line or record. `in_folder` says that there are other files beside it."""

    file: str
    unit: str
    number: int
    in_folder: bool = False

    def __str__(self) -> str:
        """As people are told it."""
        return f"{self.file}, {self.unit} {self.number}"


@dataclass(slots=True)
class Tally:
    """What became of the records so far."""

    write_error: Callable[[Place, Sequence[str]], None]
    recorded: int = 0
    replayed: int = 0
    refused: int = 0
    unpriced: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)
    shown: list[tuple[Place, Sequence[str]]] = field(default_factory=list)

    def refuse(self, place: Place, problems: Sequence[str]) -> None:
        """Count a bad record and remember the first ones."""
        self.refused += 1
        self.write_error(place, problems)
        if len(self.shown) < MAX_SHOWN:
            self.shown.append((place, problems))

    def skip(self, reason: str) -> None:
        """Count what is no record and no fault."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def take(self, place: Place, taken: Taken) -> None:
        """Count the outcome of a record."""
        if taken.problems:
            self.refuse(place, taken.problems)
        elif taken.replayed:
            self.replayed += 1
        else:
            self.recorded += 1
            if taken.cost is None:
                self.unpriced += 1
            else:
                currency = taken.currency or "USD"
                self.costs[currency] = self.costs.get(currency, Decimal(0)) + taken.cost

    def document(self, file: str, form: str, *, dry_run: bool) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "file": file,
            "format": form,
            "dry_run": dry_run,
            "recorded": self.recorded,
            "already_there": self.replayed,
            "rejected": self.refused,
            "unpriced": self.unpriced,
            "skipped": [{"reason": reason, "count": count} for reason, count in sorted(self.skipped.items())],
            "costs": [{"currency": currency, "cost": total} for currency, total in sorted(self.costs.items())],
        }

    def table(self, *, dry_run: bool) -> Table:
        """All of it, for people."""
        from cost_ops.cli.output import Column, Table, format_money

        rows: list[tuple[str, str]] = [
            ("would be recorded" if dry_run else "recorded", f"{self.recorded:,}"),
            ("already there", "not checked" if dry_run else f"{self.replayed:,}"),
            ("rejected", f"{self.refused:,}"),
            ("unpriced", f"{self.unpriced:,}"),
            *((f"skipped: {reason}", f"{count:,}") for reason, count in sorted(self.skipped.items())),
            *((f"cost ({currency})", format_money(total)) for currency, total in sorted(self.costs.items())),
        ]
        return Table((Column("records"), Column("")), rows)


def error_writer(file: Any) -> Callable[[Place, Sequence[str]], None]:
    """What writes refused records to a file as JSON lines; without one they are told on the terminal only."""
    if file is None:
        return _write_nowhere
    from cost_ops.domain.exact_json import json_text

    def write(place: Place, problems: Sequence[str]) -> None:
        where = {"file": place.file} if place.in_folder else {}
        file.write(json_text({**where, "place": place.number, "reasons": list(problems)}) + "\n")

    return write


def _write_nowhere(place: Place, problems: Sequence[str]) -> None:
    del place, problems
