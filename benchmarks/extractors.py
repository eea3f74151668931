"""Those who read responses: from a provider's bytes to an amount, each by its own means, behind the same few words.

Ours is the way of the server: `read_record` with the response in a record, then `usage.price`. genai-prices has
`extract_usage` and `calc_price`. LiteLLM has a `transform_response` for each provider, which its own calls go through,
and `completion_cost` for what that yields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol

from benchmarks.families import TIMESTAMP, Family, FamilyCall

from cost_ops.api.decoding import read_record
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.periods import to_us
from cost_ops.domain.priced import Priced
from cost_ops.domain.submission import Intake
from cost_ops.interfaces.context import Context
from cost_ops.services import usage
from tests.scenarios.running_ledger import open_ledger, prepare_ledger

AT = datetime.fromisoformat(TIMESTAMP).astimezone(UTC)
ORGANIZATION = "bench"


class Reader(Protocol):
    """A contender: what it takes for a call, and the amount that it makes of it."""

    name: str

    def prepare(self, call: FamilyCall) -> Any:
        """What is there before the clock starts: the response's bytes, and what a caller knows beside them."""

    def read(self, item: Any) -> Any:
        """Parse, extract, price."""

    def dollars(self, answer: Any) -> Decimal:
        """The amount of an answer."""


@contextmanager
def ledger(folder: Path) -> Iterator[Application]:
    """An installation with the catalogue, as long as the block."""
    with TemporaryDirectory(prefix="extraction-", dir=folder) as name:
        url = f"sqlite:{Path(name) / 'ledger.db'}"
        prepare_ledger(url, ORGANIZATION)
        application = open_ledger(url)
        try:
            yield application
        finally:
            application.close()


class Ours:
    """`read_record` and `usage.price`, as for a record in a batch."""

    name = "ours"

    def __init__(self, application: Application) -> None:
        self.ctx: Context = application.context(OWNER)
        self.book = application.books.current()
        self.shapes = application.shapes
        now_us = max(to_us(application.clock()), to_us(AT))
        self.intake = Intake(self.book.names, now_us, shapes=application.shapes, fallback_source="api")

    def prepare(self, call: FamilyCall) -> bytes:
        """A record as it is posted, with the response in it as the provider sent it."""
        beside = {
            "organization_id": ORGANIZATION,
            "provider": call.family.provider,
            "model_id": call.model.name,
            "timestamp": TIMESTAMP,
            "idempotency_key": f"{call.family.name}-{id(call)}",
        }
        return json.dumps(beside).encode()[:-1] + b', "response": ' + call.raw + b"}"

    def read(self, item: bytes) -> Priced:
        """The priced submission."""
        return usage.price(self.ctx, self.book, read_record(item, self.intake), itemised=False)

    @staticmethod
    def dollars(answer: Priced) -> Decimal:
        """The amount. Raises LookupError where there is no price."""
        if answer.cost_e10 is None:
            raise LookupError(f"{answer.submission.provider}/{answer.submission.model_id} is unpriced")
        return decimal_from_e10(answer.cost_e10)


class GenaiItem(NamedTuple):
    """A response, and the model and provider that its caller knows."""

    raw: bytes
    model: str
    provider: str
    flavor: str


class GenaiPrices:
    """`extract_usage` and `calc_price`."""

    name = "genai-prices"

    def __init__(self) -> None:
        import genai_prices

        self._extract, self._calc = genai_prices.extract_usage, genai_prices.calc_price
        self._usage = genai_prices.Usage

    def prepare(self, call: FamilyCall) -> GenaiItem:
        """The bytes, provider and flavor named."""
        return GenaiItem(call.raw, call.model.name, *call.family.genai)

    def read(self, item: GenaiItem) -> Any:
        """Its calculation."""
        found = self._extract(json.loads(item.raw), provider_id=item.provider, api_flavor=item.flavor)
        return self._calc(found.usage, item.model, provider_id=item.provider, genai_request_timestamp=AT)

    @staticmethod
    def dollars(answer: Any) -> Decimal:
        """The total."""
        return Decimal(answer.total_price)

    def model_price(self, family: Family, model: str) -> Any:
        """The row of its table for a model at the time of the calls."""
        used = self._usage(input_tokens=1, output_tokens=1)
        return self._calc(used, model, provider_id=family.genai[0], genai_request_timestamp=AT).model_price


class LiteLLMItem(NamedTuple):
    """A response and the function that reads it."""

    raw: bytes
    read: Callable[[bytes], Any]
    model: str
    provider: str


class LiteLLM:
    """The provider's `transform_response`, then `completion_cost`."""

    name = "litellm"

    def __init__(self) -> None:
        import litellm

        self._cost: Callable[..., float] = litellm.completion_cost
        self._register: Callable[[dict[str, Any]], Any] = litellm.register_model
        self._table: Mapping[str, dict[str, Any]] = litellm.model_cost

    def known(self, model: str) -> dict[str, Any] | None:
        """The row of its table under a name, or under the same without the provider; None where it has none."""
        return self._table.get(model) or self._table.get(model.partition("/")[2])

    def feed(self, rates: dict[str, dict[str, Any]]) -> None:
        """Put prices into its table: name → row."""
        self._register(rates)

    def prepare(self, call: FamilyCall) -> LiteLLMItem:
        """The bytes, model and provider named."""
        provider, model = call.family.litellm, call.model.litellm
        bare = model.removeprefix(f"{provider}/")
        if call.family.name.endswith("responses"):
            return LiteLLMItem(call.raw, _as_responses, bare, provider)
        return LiteLLMItem(call.raw, _transform(call.family, bare), bare, provider)

    def read(self, item: LiteLLMItem) -> float:
        """Dollars as a float."""
        return self._cost(completion_response=item.read(item.raw), model=item.model, custom_llm_provider=item.provider)

    @staticmethod
    def dollars(answer: float) -> Decimal:
        """The float by its shortest form: what a program prints or stores."""
        return Decimal(str(answer))


def _as_responses(raw: bytes) -> Any:
    from litellm.types.llms.openai import ResponsesAPIResponse

    return ResponsesAPIResponse(**json.loads(raw))


def _transform(family: Family, model: str) -> Callable[[bytes], Any]:
    """How LiteLLM's own calls read a response of this family."""
    import httpx
    from litellm.litellm_core_utils.litellm_logging import Logging
    from litellm.types.utils import LlmProviders, ModelResponse
    from litellm.utils import ProviderConfigManager

    # Azure's are read as OpenAI's there; what InvokeModel returns has a reader of its own.
    provider = "openai" if family.litellm == "azure" else family.litellm
    asked = f"invoke/{model}" if "InvokeModel" in family.name else model
    config: Any = ProviderConfigManager.get_provider_chat_config(model=asked, provider=LlmProviders(provider))
    request = httpx.Request("POST", "https://provider.invalid/")
    logging = Logging(model, [], False, "completion", datetime.now(UTC), "bench", "bench")
    logging.optional_params = {}

    def read(raw: bytes) -> Any:
        return config.transform_response(
            model=model,
            raw_response=httpx.Response(200, content=raw, request=request),
            model_response=ModelResponse(),
            logging_obj=logging,
            request_data={},
            messages=[],
            optional_params={},
            litellm_params={},
            encoding=None,
            api_key="",
            json_mode=False,
        )

    return read
