"""Those who price, each behind the same few words: make arguments, price one call, say the answer in dollars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Protocol

from benchmarks import exact
from benchmarks.exact import Call, Rates

_PACKAGES = ("litellm", "genai-prices", "tokencost")


def versions() -> str:
    """What is compared."""
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES)


class Pricer(Protocol):
    """A contender: `price` for one call; `lap` for all of them with as little around them as can be."""

    def lap(self, prepared: Sequence[Any]) -> None:
        """Price every call and forget the answers: what is timed."""

    def price(self, item: Any) -> Any:
        """Price one call."""

    def dollars(self, answer: Any) -> Decimal | None:
        """The amount of an answer; None where there is none."""


class LiteLLM:
    """`litellm.cost_per_token`."""

    def __init__(self) -> None:
        import litellm

        self._table: Mapping[str, Any] = litellm.model_cost
        self.cost_per_token = litellm.cost_per_token

    def rates(self, call: Call) -> Rates:
        """The numbers of its own table."""
        return exact.litellm_rates(self._table[self._name(call)])

    def plain(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """As most call it: how many tokens went in and came out."""
        return [
            {
                "model": self._name(c),
                "prompt_tokens": c.fresh + c.cached,
                "completion_tokens": c.output,
            }
            for c in calls
        ]

    def with_cache(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        """The same, and how many of those that went in were in the cache."""
        return [
            arguments | {"cache_read_input_tokens": c.cached}
            for arguments, c in zip(self.plain(calls), calls, strict=True)
        ]

    def lap(self, prepared: Sequence[dict[str, Any]]) -> None:
        """All of them."""
        cost_per_token = self.cost_per_token
        for arguments in prepared:
            cost_per_token(**arguments)

    def price(self, arguments: dict[str, Any]) -> tuple[float, float]:
        """Input and output cost."""
        found: tuple[float, float] = self.cost_per_token(**arguments)
        return found

    @staticmethod
    def dollars(answer: tuple[float, float]) -> Decimal:
        """Their sum as the float it is, by its shortest form: what a program prints or stores."""
        return Decimal(str(sum(answer)))

    def _name(self, call: Call) -> str:
        return f"gemini/{call.model}" if call.provider == "google" else call.model


class GenaiPrices:
    """`genai_prices.calc_price`."""

    def __init__(self) -> None:
        import genai_prices

        self._usage, self._calc_price = genai_prices.Usage, genai_prices.calc_price

    def prepare(self, calls: Sequence[Call]) -> list[tuple[Any, str, str, datetime]]:
        """Usage objects, ready made."""
        return [
            (
                self._usage(input_tokens=c.fresh + c.cached, cache_read_tokens=c.cached, output_tokens=c.output),
                c.model,
                c.provider,
                datetime.fromtimestamp(c.timestamp_us / 1_000_000, UTC),
            )
            for c in calls
        ]

    def lap(self, prepared: Sequence[tuple[Any, str, str, datetime]]) -> None:
        """All of them."""
        calc_price = self._calc_price
        for usage, model, provider, at in prepared:
            calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)

    def price(self, item: tuple[Any, str, str, datetime]) -> Any:
        """Its calculation."""
        usage, model, provider, at = item
        return self._calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)

    @staticmethod
    def dollars(answer: Any) -> Decimal:
        """The total."""
        return Decimal(answer.total_price)

    def rates_of(self, calls: Sequence[Call]) -> Callable[[Call], Rates]:
        """The numbers of the row it chose for each call."""
        found = {
            call: exact.genai_rates(self.price(item).model_price)
            for call, item in zip(calls, self.prepare(calls), strict=True)
        }
        return found.__getitem__


class Tokencost:
    """`tokencost`, by numbers of tokens: one call of its function for each kind."""

    def __init__(self) -> None:
        import tokencost.costs

        self._table: Mapping[str, Any] = tokencost.costs.TOKEN_COSTS
        self._calculate = tokencost.costs.calculate_cost_by_tokens

    def rates(self, call: Call) -> Rates | None:
        """The numbers of its own table; None for a model that it does not know."""
        row = self._table.get(call.model)
        return None if row is None else exact.litellm_rates(row)

    def plain(self, calls: Sequence[Call]) -> list[tuple[str, tuple[tuple[int, str], ...]]]:
        """Cached tokens passed as input: there is no other way in its main functions."""
        return [(c.model, ((c.fresh + c.cached, "input"), (c.output, "output"))) for c in calls]

    def cached_apart(self, calls: Sequence[Call]) -> list[tuple[str, tuple[tuple[int, str], ...]]]:
        """Cached tokens named as such, where there are any."""
        return [
            (c.model, ((c.fresh, "input"), *(((c.cached, "cached"),) if c.cached else ()), (c.output, "output")))
            for c in calls
        ]

    def lap(self, prepared: Sequence[tuple[str, tuple[tuple[int, str], ...]]]) -> None:
        """All of them."""
        for item in prepared:
            self.price(item)

    def price(self, item: tuple[str, tuple[tuple[int, str], ...]]) -> Decimal | None:
        """The sum; None for a model that it does not know."""
        model, parts = item
        try:
            return sum((self._calculate(tokens, model, kind) for tokens, kind in parts), Decimal(0))
        except KeyError:
            return None

    @staticmethod
    def dollars(answer: Decimal | None) -> Decimal | None:
        """As it is."""
        return answer
