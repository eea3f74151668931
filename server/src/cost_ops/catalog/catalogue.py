"""What an import yields: prices, other names of models, and what could not be held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Price
from cost_ops.domain.text import text_fault

MAX_URL = 1024


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Something of a model that our prices cannot say: a unit, a variant, or (`what` = "price") the whole model."""

    provider: str
    model_id: str
    what: str
    reason: str


def page_of(value: Any) -> str | None:
    """The address of a page that a source names; None where it names none that could be shown."""
    return value if isinstance(value, str) and value and text_fault(value, MAX_URL) is None else None


@dataclass(frozen=True, slots=True)
class Normalised:
    """A number that a float computation left noise in: as it is `written` in the file, and as it is `taken`."""

    model: str
    key: str
    written: Decimal
    taken: Decimal


@dataclass(frozen=True, slots=True)
class CatalogueData:
    """A read catalogue, not stored yet. Prices are of layer CATALOG, timelines oldest first and without overlap.

    `publisher` is who made the data: several files of one publisher are one voice. Of several opinions the one of the
    lowest `rank` is published.
    """

    prices: tuple[Price, ...]
    aliases: tuple[Alias, ...]
    source: str
    left_out: tuple[LeftOut, ...] = ()
    publisher: str = "genai-prices"
    rank: int = 1
    normalised: tuple[Normalised, ...] = ()

    def left_out_counts(self) -> dict[str, int]:
        """How many models miss what, most frequent first: the catalogue report."""
        return dict(Counter(item.what for item in self.left_out).most_common())
