"""What a call would cost before it is made: `client.estimate("gpt-4o", messages, max_output_tokens=500)`.

The ledger prices; here tokens are only counted, and where that is a guess the estimate says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, Optional

from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.html_tables import row, table

if TYPE_CHECKING:
    from llm_cost_ops.client import CostOpsClient

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
"""What a message takes beside its text: its role, where it begins and ends."""
_MAKERS = {
    "openai": (
        "gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "davinci", "babbage", "dall-e", "whisper", "tts-",
    ),
    "anthropic": ("claude",),
    "google": ("gemini",),
    "mistral": (
        "mistral", "ministral", "codestral", "magistral", "devstral", "pixtral", "voxtral", "open-mistral",
        "open-mixtral",
    ),
    "cohere": ("command", "embed-", "rerank", "c4ai-"),
    "deepseek": ("deepseek",),
    "x-ai": ("grok",),
}  # fmt: skip
"""Who makes the models whose names begin so, and sells them under these names."""
_TEXTS = ("text", "input_text", "output_text")
_ENCODERS: dict[str, Optional[Callable[[str], int]]] = {}


@dataclass(frozen=True)
class EstimateLine:
    """A part of the cost: so much of a meter, such as `input`, at `price` for `per`."""

    meter: str
    quantity: Decimal
    price: Decimal
    per: int
    cost: Decimal


@dataclass(frozen=True)
class Estimate:
    """What a call would cost. `estimated` says that its input tokens were guessed from its text."""

    cost: Decimal
    currency: str
    provider: str
    model_id: str
    input_tokens: int
    output_tokens: int
    """The most that may come out, as it was said; 0 where nothing was: then the cost is that of the input alone."""
    estimated: bool
    price_id: Optional[str]
    lines: Sequence[EstimateLine] = ()
    not_counted: Sequence[str] = field(default=())
    """Parts of messages that are no text, such as `image_url`: they cost something that is not in here."""

    @property
    def caveats(self) -> list[str]:
        """What the amount does not say, in words."""
        found = ["input tokens are guessed from the text"] if self.estimated else []
        found += [] if self.output_tokens else ["without output: say max_output_tokens"]
        return found + ([f"without {', '.join(self.not_counted)}"] if self.not_counted else [])

    def __str__(self) -> str:
        about = f" ({'; '.join(self.caveats)})" if self.caveats else ""
        out = f", up to {self.output_tokens:,} out" if self.output_tokens else ""
        amount = f"{self.cost:f} {self.currency} for {self.input_tokens:,} tokens in{out}"
        return f"{amount} with {self.provider}/{self.model_id}{about}"

    def _repr_html_(self) -> str:
        rows = [
            row(line.meter, (f"{line.quantity:,}", f"{line.price:f} / {line.per:,}", f"{line.cost:f}"))
            for line in self.lines
        ]
        return table(str(self), ("quantity", "price", "cost"), rows)


def estimate(
    client: CostOpsClient,
    model: str,
    asked: Any,
    *,
    max_output_tokens: Optional[int] = None,
    provider: Optional[str] = None,
) -> Estimate:
    """As `CostOpsClient.estimate`."""
    maker, model_id = (provider, model) if provider else provider_of(model)
    counts, guessed, not_counted = _counted(asked, model_id)
    about = {"organization_id": client.settings.organization_id, "default_pricing": client.settings.default_pricing}
    body = {
        **{name: value for name, value in about.items() if value is not None},
        "provider": maker,
        "model_id": model_id,
        **counts,
    }
    if max_output_tokens is not None:
        body["max_output_tokens"] = max_output_tokens
    data = client.request("POST", "costs/estimate", json=body, repeatable=True)["data"]
    return Estimate(
        cost=Decimal(data["cost"]["total_cost"]),
        currency=data["currency"],
        provider=data["provider"],
        model_id=data["model_id"],
        input_tokens=data["input_tokens"],
        output_tokens=data["output_tokens"],
        estimated=guessed,
        price_id=data["price_id"],
        lines=tuple(map(_line, data["lines"])),
        not_counted=not_counted,
    )


def _line(data: Mapping[str, Any]) -> EstimateLine:
    numbers = (Decimal(data["quantity"]), Decimal(data["rate_price"]), data["rate_per"], Decimal(data["amount"]))
    return EstimateLine(data["meter"], *numbers)


def provider_of(model: str) -> tuple[str, str]:
    """(who makes a model, its name there): by how the name begins, else by what stands before its first `/`.

    Raises SettingsError where neither tells.
    """
    lowered = model.lower()
    for maker, beginnings in _MAKERS.items():
        if lowered.startswith(beginnings):
            return maker, model
    maker, slash, rest = model.partition("/")
    if slash and maker and rest:
        return maker, rest
    raise SettingsError(f"who serves {model!r} cannot be told by its name: say provider=…")


def _counted(asked: Any, model: str) -> tuple[dict[str, Any], bool, Sequence[str]]:
    """(counts of a record, whether they are guessed, what was not counted)."""
    if isinstance(asked, (bool, float)) or asked is None:
        raise SettingsError(f"give a number of tokens, counts, a text or messages, got {asked!r}")
    if isinstance(asked, int):
        return {"input_tokens": asked}, False, ()
    if isinstance(asked, Mapping) and not {"role", "content", "parts"} & asked.keys():
        return dict(asked), False, ()
    left_out: dict[str, None] = {}
    messages = [asked] if isinstance(asked, (str, Mapping)) else list(asked)
    length = _length_in(model)
    tokens = sum(_tokens(message, length, left_out) for message in messages)
    return {"input_tokens": tokens}, True, tuple(left_out)


def _tokens(message: Any, length: Callable[[str], int], left_out: dict[str, None]) -> int:
    if isinstance(message, str):
        return length(message)
    return TOKENS_PER_MESSAGE + sum(map(length, _texts(message, left_out)))


def _texts(value: Any, left_out: dict[str, None]) -> Iterator[str]:
    """The texts of a message, as a mapping or as an object of a client: OpenAI's, Anthropic's, Google's."""
    if isinstance(value, str):
        yield value
        return
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        for one in value:
            yield from _texts(one, left_out)
        return

    def get(name: str) -> Any:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)

    inner = next((found for found in (get("content"), get("parts"), get("text")) if found is not None), None)
    kind = str(get("type") or ("text" if inner is not None else "a part"))
    if inner is None or (isinstance(inner, str) and get("role") is None and kind not in _TEXTS):
        left_out[kind] = None
    if inner is not None:
        yield from _texts(inner, left_out)


def _length_in(model: str) -> Callable[[str], int]:
    """Tokens of a text: by tiktoken where that is installed and knows the model, else a quarter of its characters."""
    if model not in _ENCODERS:
        _ENCODERS[model] = _by_tiktoken(model)
    return _ENCODERS[model] or (lambda text: math.ceil(len(text) / CHARACTERS_PER_TOKEN))


def _by_tiktoken(model: str) -> Optional[Callable[[str], int]]:
    try:
        tiktoken: Any = import_module("tiktoken")
        encode = tiktoken.encoding_for_model(model).encode
    except Exception:  # noqa: BLE001  (not there, does not know the model, could not fetch its vocabulary: a guess it is)
        return None
    return lambda text: len(encode(text, disallowed_special=()))
