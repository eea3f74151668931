"""The same calls in the words of every provider: known token counts, and who states them how.

`Counts` holds disjoint buckets that are known beforehand. A family is one provider API; it states as much of a call as
that API can, and `told` says what is left when it cannot tell two buckets apart (there they cost the same, too).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from benchmarks import family_payloads as payloads
from benchmarks.exact import MAX_CONTEXT
from benchmarks.family_payloads import Counts

TIMESTAMP = "2026-11-20T12:00:00Z"
"""When all calls were made: prices change by date, and DeepSeek's by the hour."""

Payload = Callable[[Counts, str, str], dict[str, Any]]


class Model(NamedTuple):
    """A model as the provider names it, and as LiteLLM does."""

    name: str
    litellm: str


class Family(NamedTuple):
    """One provider API.

    `genai` is the provider and the API flavor for genai-prices, `litellm` the provider for LiteLLM. `tells` names the
    buckets that the API can tell from plain input and output.
    """

    name: str
    provider: str
    models: Sequence[Model]
    payload: Payload
    tells: frozenset[str]
    genai: tuple[str, str]
    litellm: str

    def told(self, counts: Counts) -> Counts:
        """What of a call this API's payload says: buckets that it cannot tell stand with plain input or output."""
        fresh, output = counts.fresh, counts.output
        kept: dict[str, int] = {}
        for name in ("cached", "written", "written_1h", "tool", "reasoning"):
            tokens = getattr(counts, name)
            told = name in self.tells
            kept[name] = tokens if told else 0
            if not told and name == "reasoning":
                output += tokens
            elif not told:
                fresh += tokens
        return Counts(fresh=fresh, output=output, **kept)


class FamilyCall(NamedTuple):
    """One call of a family: what is known of it, and the response that says so."""

    family: Family
    model: Model
    counts: Counts
    response: dict[str, Any]
    raw: bytes


def _same(*names: str) -> tuple[Model, ...]:
    return tuple(Model(name, name) for name in names)


def _under(prefix: str, *names: str) -> tuple[Model, ...]:
    return tuple(Model(name, f"{prefix}/{name}") for name in names)


_CACHED = frozenset({"cached", "reasoning"})
_OPENAI = _CACHED | {"written"}
_ANTHROPIC = _OPENAI | {"written_1h"}
_GOOGLE = _CACHED | {"tool"}
_SOL = _same("gpt-5.6-sol", "gpt-5.6-luna", "gpt-6-sol", "gpt-6-luna")
_CLAUDE = _same("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-8", "claude-sonnet-5-5")
_GEMINI = ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-3.5-flash")
_ON_BEDROCK = _same(
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
)

FAMILIES: tuple[Family, ...] = (
    Family("OpenAI chat", "openai", _SOL, payloads.openai_chat, _OPENAI, ("openai", "chat"), "openai"),
    Family("OpenAI responses", "openai", _SOL, payloads.openai_responses, _OPENAI, ("openai", "responses"), "openai"),
    Family(
        *("Azure OpenAI chat", "azure", _under("azure", "gpt-5", "gpt-4.1", "o4-mini"), payloads.azure_chat),
        *(_CACHED, ("azure", "chat"), "azure"),
    ),
    Family(
        *("Anthropic messages", "anthropic", _CLAUDE, payloads.anthropic_messages),
        *(_ANTHROPIC, ("anthropic", "default"), "anthropic"),
    ),
    Family(
        *("Anthropic messages, compacted", "anthropic", _CLAUDE, payloads.anthropic_compacted),
        *(_ANTHROPIC - {"reasoning"}, ("anthropic", "default"), "anthropic"),
    ),
    Family(
        *("Gemini API", "google", _under("gemini", *_GEMINI), payloads.google_generate),
        *(_GOOGLE, ("google", "default"), "gemini"),
    ),
    Family(
        *("Vertex AI, Gemini", "google", _under("vertex_ai", *_GEMINI), payloads.vertex_generate),
        *(_GOOGLE, ("google", "default"), "vertex_ai"),
    ),
    Family(
        *("Vertex AI, Claude", "google", _under("vertex_ai", "claude-sonnet-4-5@20250929"), payloads.vertex_claude),
        *(_ANTHROPIC, ("google", "anthropic"), "vertex_ai"),
    ),
    Family(
        *("Bedrock Converse", "aws", _ON_BEDROCK, payloads.bedrock_converse),
        *(_ANTHROPIC - {"reasoning"}, ("aws", "default"), "bedrock"),
    ),
    Family(
        *("Bedrock InvokeModel, Claude", "aws", _ON_BEDROCK, payloads.bedrock_claude),
        *(_ANTHROPIC, ("aws", "anthropic"), "bedrock"),
    ),
    Family(
        *("Cohere v2 chat", "cohere", _same("command-a-03-2025", "command-r-plus-08-2024"), payloads.cohere_chat),
        *(frozenset(), ("cohere", "default"), "cohere_chat"),
    ),
    Family(
        *("Mistral chat", "mistral", _under("mistral", "mistral-small-latest", "mistral-medium-latest")),
        *(payloads.mistral_chat, _CACHED, ("mistral", "default"), "mistral"),
    ),
    Family(
        *("DeepSeek chat", "deepseek", _under("deepseek", "deepseek-v4-pro", "deepseek-v4-flash")),
        *(payloads.deepseek_chat, _CACHED, ("deepseek", "chat"), "deepseek"),
    ),
    Family(
        *("DeepSeek chat, hits and misses", "deepseek", _under("deepseek", "deepseek-v4-pro", "deepseek-v4-flash")),
        *(payloads.deepseek_before, _CACHED, ("deepseek", "chat"), "deepseek"),
    ),
    Family(
        *("xAI chat", "x-ai", _under("xai", "grok-4.3", "grok-4.6"), payloads.xai_chat),
        *(_CACHED, ("x-ai", "chat"), "xai"),
    ),
    Family(
        *("xAI responses", "x-ai", _under("xai", "grok-4.3", "grok-4.6"), payloads.xai_responses),
        *(_CACHED, ("x-ai", "responses"), "xai"),
    ),
    Family(
        *("Groq chat", "groq", _under("groq", "openai/gpt-oss-120b", "openai/gpt-oss-20b"), payloads.groq_chat),
        *(_CACHED, ("groq", "default"), "groq"),
    ),
)


def made_counts(count: int, seed: int = 11) -> list[Counts]:
    """Calls, the same each time: about half with a cache read, a quarter that write one, a third that reason."""
    chance = random.Random(seed)
    return [_made(chance) for _ in range(count)]


def _made(chance: random.Random) -> Counts:
    prompt = int(chance.lognormvariate(7.5, 1.2)) % MAX_CONTEXT + 10
    output = int(chance.lognormvariate(5.5, 1.0)) % 16_000 + 2
    cached = int(prompt * chance.uniform(0.1, 0.7)) if chance.random() < 0.5 else 0
    written = int(prompt * chance.uniform(0.01, 0.15)) if chance.random() < 0.25 else 0
    written_1h = int(prompt * chance.uniform(0.01, 0.1)) if chance.random() < 0.1 else 0
    tool = chance.randrange(1, 2_000) if chance.random() < 0.1 else 0
    reasoning = int(output * chance.uniform(0.1, 0.9)) if chance.random() < 0.35 else 0
    return Counts(
        fresh=prompt - cached - written - written_1h,
        cached=cached,
        written=written,
        written_1h=written_1h,
        tool=tool,
        output=output - reasoning,
        reasoning=reasoning,
    )


def calls_of(family: Family, made: Sequence[Counts]) -> list[FamilyCall]:
    """The calls as responses of one family, its models taking turns."""
    found = []
    for number, counts in enumerate(made):
        model = family.models[number % len(family.models)]
        told = family.told(counts)
        response = family.payload(told, model.name, f"{number:024x}")
        found.append(FamilyCall(family, model, told, response, json.dumps(response).encode()))
    return found
