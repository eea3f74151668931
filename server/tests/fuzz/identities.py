"""What each provider's numbers must add up to, told apart from the extractor: a second opinion on every payload.

Written from the providers' documentation, not from the usage shapes, and sharing no code with them. An identity names
the counts that make up the input and the output of a call, the total that the provider states, and which counts stand
inside which. From that follow the sums that disjoint buckets must have, and every contradiction a payload can hold.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cost_ops.domain.meters import INPUT_METERS, OUTPUT_METERS
from cost_ops.domain.usage import Quantities


@dataclass(frozen=True)
class Identity:
    """One API. `usage` says where its usage object stands; the other names are paths within it.

    `inputs` and `outputs` are added up; `total` is what the provider states of both. `inside` holds pairs: the sum of
    the first paths is at most the second. `equal`: the sum of the first, where one is stated, is the second.
    """

    usage: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    total: str | None = None
    inside: tuple[tuple[tuple[str, ...], str], ...] = ()
    equal: tuple[tuple[tuple[str, ...], str], ...] = ()


_CHAT = Identity(
    "usage",
    ("prompt_tokens",),
    ("completion_tokens",),
    "total_tokens",
    (
        (("prompt_tokens_details.cached_tokens", "prompt_tokens_details.cache_write_tokens"), "prompt_tokens"),
        (("completion_tokens_details.reasoning_tokens",), "completion_tokens"),
    ),
)
_RESPONSES = Identity(
    "usage",
    ("input_tokens",),
    ("output_tokens",),
    "total_tokens",
    (
        (("input_tokens_details.cached_tokens", "input_tokens_details.cache_write_tokens"), "input_tokens"),
        (("output_tokens_details.reasoning_tokens",), "output_tokens"),
    ),
)
_PLAIN = Identity("usage", ("input_tokens",), ("output_tokens",), "total_tokens")


_ANTHROPIC = Identity(
    "usage",
    ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    ("output_tokens",),
    None,
    ((("output_tokens_details.thinking_tokens",), "output_tokens"),),
    (
        (
            ("cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens"),
            "cache_creation_input_tokens",
        ),
    ),
)


def _google(usage: str, prompt: str, tool: str, answer: str, thoughts: str, total: str, cached: str) -> Identity:
    return Identity(usage, (prompt, tool), (answer, thoughts), total, (((cached,), prompt),))


IDENTITIES: Mapping[str, Identity] = {
    "openai.chat": _CHAT,
    "compatible.chat": _CHAT,
    "groq.chat": _CHAT,
    "mistral.chat": _CHAT,
    "openrouter.chat": _CHAT,
    "deepseek.chat": Identity(
        "usage",
        ("prompt_tokens",),
        ("completion_tokens",),
        "total_tokens",
        ((("prompt_cache_hit_tokens",), "prompt_tokens"),),
    ),
    "xai.chat": Identity(
        "usage",
        ("prompt_tokens",),
        ("completion_tokens", "completion_tokens_details.reasoning_tokens"),
        "total_tokens",
        ((("prompt_tokens_details.cached_tokens",), "prompt_tokens"),),
    ),
    "openai.responses": _RESPONSES,
    "xai.responses": Identity(
        "usage",
        ("input_tokens",),
        ("output_tokens",),
        "total_tokens",
        (
            (("input_tokens_details.cached_tokens",), "input_tokens"),
            (("output_tokens_details.reasoning_tokens",), "output_tokens"),
        ),
    ),
    "openai.embeddings": Identity("usage", ("prompt_tokens",), (), "total_tokens"),
    "openai.images": _PLAIN,
    "openai.transcription": _PLAIN,
    "openai.realtime": Identity(
        "usage",
        ("input_tokens",),
        ("output_tokens",),
        "total_tokens",
        ((("input_token_details.cached_tokens",), "input_tokens"),),
    ),
    "anthropic.messages": _ANTHROPIC,
    "bedrock.claude": _ANTHROPIC,
    "bedrock.converse": Identity(
        "usage",
        ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
        ("outputTokens",),
        "totalTokens",
    ),
    "bedrock.nova": Identity(
        "usage",
        ("inputTokens", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
        ("outputTokens",),
        "totalTokens",
    ),
    "xai.sdk": Identity(
        "usage",
        ("prompt_tokens",),
        ("completion_tokens", "reasoning_tokens"),
        "total_tokens",
        ((("cached_prompt_text_tokens",), "prompt_tokens"),),
    ),
    "google.generate": _google(
        *("usageMetadata", "promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount"),
        *("thoughtsTokenCount", "totalTokenCount", "cachedContentTokenCount"),
    ),
    "google.live": _google(
        *("usageMetadata", "promptTokenCount", "toolUsePromptTokenCount", "responseTokenCount"),
        *("thoughtsTokenCount", "totalTokenCount", "cachedContentTokenCount"),
    ),
    "google.generate-python": _google(
        *("usage_metadata", "prompt_token_count", "tool_use_prompt_token_count", "candidates_token_count"),
        *("thoughts_token_count", "total_token_count", "cached_content_token_count"),
    ),
    "google.palm": Identity(
        "metadata.tokenMetadata", ("inputTokenCount.totalTokens",), ("outputTokenCount.totalTokens",)
    ),
    "cohere.billed": Identity("usage", ("billed_units.input_tokens",), ("billed_units.output_tokens",)),
    "cohere.tokens": Identity("usage", ("tokens.input_tokens",), ("tokens.output_tokens",)),
    "langchain.usage-metadata": Identity(
        "usage_metadata",
        ("input_tokens",),
        ("output_tokens",),
        "total_tokens",
        (
            (("input_token_details.cache_read",), "input_tokens"),
            (("output_token_details.reasoning",), "output_tokens"),
        ),
    ),
    "vercel.v4": Identity("usage", ("promptTokens",), ("completionTokens",), "totalTokens"),
    "vercel.v6": Identity(
        "usage",
        ("inputTokens",),
        ("outputTokens",),
        "totalTokens",
        (
            (("inputTokenDetails.cacheReadTokens", "inputTokenDetails.cacheWriteTokens"), "inputTokens"),
            (("outputTokenDetails.reasoningTokens",), "outputTokens"),
        ),
    ),
    "bedrock.llama": Identity("", ("prompt_token_count",), ("generation_token_count",)),
    "huggingface.tgi": Identity("details", ("input_length",), ("generated_tokens",)),
    "ollama.generate": Identity("", ("prompt_eval_count",), ("eval_count",)),
    "llamacpp.timings": Identity("timings", ("prompt_n", "cache_n"), ("predicted_n",)),
    "replicate.tokens": Identity("metrics", ("input_token_count",), ("output_token_count",)),
}

NO_IDENTITY: Mapping[str, str] = {
    "bedrock.headers": "counts are texts in HTTP headers, each for itself",
    "bedrock.invocation-metrics": "four counts side by side in an event of a stream, and no total",
    "bedrock.titan": "the output is a sum over results",
    "google.palm-characters": "characters, not tokens",
    "mistral.audio": "seconds and tokens side by side, with a total over some of them",
    "mistral.ocr": "pages",
    "openai.transcription-duration": "seconds",
    "perplexity.chat": "its total leaves out citations and reasoning",
    "replicate.images": "images",
    "replicate.time": "seconds",
    "vercel.v5": "its usage object is the sum over steps, or one step's",
    "vercel.v5-exclusive": "input and cache stand apart, in two objects",
    "whisper.verbose": "seconds",
}
"""Shapes that state no identity, and why."""


def usage_object(identity: Identity, response: Any) -> dict[str, Any] | None:
    """The usage object of a whole response that came as the provider sends it; None for anything else."""
    found = _at(response, identity.usage) if identity.usage else response
    return found if isinstance(found, dict) else None


def contradictions(identity: Identity, usage: Mapping[str, Any]) -> Iterator[str]:
    """Every sentence that a usage object contradicts itself with."""
    stated = _sum(usage, (*identity.inputs, *identity.outputs))
    total = _number(usage, identity.total) if identity.total else None
    if total is not None and stated is not None and total != stated:
        yield f"{identity.total} is {total}, its parts are {stated}"
    for parts, whole in identity.inside:
        held, limit = _sum(usage, parts), _number(usage, whole)
        if held is not None and limit is not None and held > limit:
            yield f"{' + '.join(parts)} is {held}, and {whole} {limit}"
    for parts, whole in identity.equal:
        held, limit = _sum(usage, parts), _number(usage, whole)
        if held is not None and limit is not None and held != limit:
            yield f"{' + '.join(parts)} is {held}, but {whole} {limit}"


def sides(identity: Identity, usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The tokens that went in and those that came out; None for a side whose counts are not all stated as wholes."""
    parted = any(_sum(usage, parts) is not None and _number(usage, whole) is None for parts, whole in identity.equal)
    went_in = None if parted else _side(usage, identity.inputs)
    return went_in, _side(usage, identity.outputs)


def _side(usage: Mapping[str, Any], paths: tuple[str, ...]) -> int | None:
    return _sum(usage, paths) if paths and _number(usage, paths[0]) is not None else None


def booked(quantities: Quantities) -> tuple[int, int]:
    """The tokens of the buckets on either side."""
    return (
        sum(int(amount) for meter, amount in quantities.items() if meter in INPUT_METERS),
        sum(int(amount) for meter, amount in quantities.items() if meter in OUTPUT_METERS),
    )


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(usage: Mapping[str, Any], path: str) -> int | None:
    """A whole count at a path. Cohere's are floats; anything else that is none is not looked at."""
    value = _at(usage, path)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return None
    return int(value) if int(value) == value else None


def _sum(usage: Mapping[str, Any], paths: tuple[str, ...]) -> int | None:
    known = [number for path in paths if (number := _number(usage, path)) is not None]
    return sum(known) if known else None
