"""Where a catalogue comes from: the installed genai-prices package with our retired models, or files and URLs.

What a file is shows in its content: genai-prices' data, LiteLLM's, models.dev's, or a price list of our own form.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from cost_ops.catalog import genai_prices
from cost_ops.catalog.catalogue import CatalogueData
from cost_ops.catalog.fetching import MAX_BYTES, Limits, fetch, is_url
from cost_ops.catalog.litellm import is_litellm, read_litellm
from cost_ops.catalog.models_dev import is_models_dev, read_models_dev
from cost_ops.catalog.multipliers import with_multipliers
from cost_ops.catalog.price_list import read_price_list
from cost_ops.catalog.retired import read_retired
from cost_ops.domain.errors import InvalidInput, Problem, invalid
from cost_ops.domain.prices import Price
from cost_ops.domain.rates import MAX_PRICE
from cost_ops.domain.text import text_fault

INSTALLED = "genai-prices"
"""The source of this name is the installed package; a file of that name is ./genai-prices."""

GENAI, LITELLM, MODELS_DEV, OWN = "genai-prices", "litellm", "models.dev", "price-list"
KINDS = (GENAI, LITELLM, MODELS_DEV, OWN)


@dataclass(frozen=True, slots=True)
class Source:
    """One source: a file or a URL, or None for the installed package. `kind` and `sha256` are held to where given."""

    location: str | None
    kind: str | None = None
    sha256: str | None = None


def parse_source(text: str, sha256: str | None = None) -> Source:
    """A source as someone names it: PATH, URL, `litellm=PATH_OR_URL`, or `genai-prices` for the installed package."""
    kind, separator, location = text.partition("=")
    if separator and kind in KINDS:
        return Source(location, kind, sha256)
    if text == INSTALLED:
        return Source(None, GENAI, sha256)
    return Source(text, None, sha256)


def read_sources(sources: Sequence[Source], *, files: bool = True, private: bool = True) -> list[CatalogueData]:
    """The catalogue of every source; of the installed package where none is named.

    `files` allows names of files, `private` URLs that lead into this network. Raises InvalidInput with the problems of
    all sources.
    """
    if not sources:
        return [_installed()]
    found: list[CatalogueData] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            found.append(_read(source, files=files, private=private))
        except InvalidInput as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidInput(problems)
    return found


def load_catalogue(source: Path | str | None = None) -> CatalogueData:
    """The catalogue of the installed package, or that of a file. Raises InvalidInput where it is not one."""
    (found,) = read_sources([] if source is None else [parse_source(str(source))])
    return found


def _read(source: Source, *, files: bool, private: bool) -> CatalogueData:
    if source.location is None:
        if source.sha256 is not None:
            raise invalid("sources", "no_hash", "the installed package is no file: leave its sha256 out")
        return _installed()
    raw = _content(source.location, files=files, private=private)
    digest = hashlib.sha256(raw).hexdigest()
    if source.sha256 is not None and source.sha256.lower() != digest:
        message = f"source {source.location} has the sha256 {digest}, not {source.sha256}; nothing was written"
        raise invalid("sources", "hash_differs", message)
    return _parsed(source, raw)


def _content(location: str, *, files: bool, private: bool) -> bytes:
    if is_url(location):
        return fetch(location, Limits(private=private))
    if not files:
        message = f"source {location[:200]!r} is no http(s) URL; only the command on the server's machine reads files"
        raise invalid("sources", "invalid_url", message)
    path = Path(location)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise invalid("source", "too_large", f"source {path} is larger than {MAX_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise invalid("source", "unreadable", f"source {path} cannot be read: {error.strerror}") from error


def _parsed(source: Source, raw: bytes) -> CatalogueData:
    location = str(source.location)
    try:
        content = json.loads(raw.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise invalid("source", "invalid_json", f"source {location} is not JSON: {error}") from error
    kind = _kind(content)
    if kind is None:
        message = (
            f"source {location} must hold a JSON list of providers or of prices, LiteLLM's prices or models.dev's; "
            "nothing was written"
        )
        raise invalid("source", "invalid_price_data", message)
    if source.kind is not None and source.kind != kind:
        message = f"source {location} is {kind} by its content, not {source.kind}; nothing was written"
        raise invalid("source", "invalid_price_data", message)
    name = location if is_url(location) else Path(location).name
    data = _READERS[kind](content, name)
    problems = [problem for price in data.prices for problem in _faults(price, location)]
    problems += [Problem("source", "invalid_pattern", f"source {location}: {fault}") for fault in _bad_patterns(data)]
    if problems:
        raise InvalidInput(problems)
    return data


def _bad_patterns(data: CatalogueData) -> Iterator[str]:
    """Regular expressions that cannot be compiled."""
    for alias in data.aliases:
        if alias.kind == "regex":
            try:
                re.compile(alias.pattern)
            except re.error as error:
                yield f"the pattern {alias.pattern[:80]!r} of {alias.model_id!r} is none: {error}"


def _faults(price: Price, location: str) -> Iterator[Problem]:
    """What no ledger should hold: names that cannot be shown, absurd prices."""
    for what, text in (("provider", price.provider), ("model", price.model_id)):
        if fault := text_fault(text) or (("empty", "must not be empty") if not text.strip() else None):
            yield Problem("source", fault[0], f"source {location}: the {what} {text[:60]!r} {fault[1]}")
    if not all(0 <= rate.price <= MAX_PRICE for rate in price.rates):
        message = f"source {location}: a price of {price.model_id!r} is negative, or more than {MAX_PRICE:f}"
        yield Problem("source", "out_of_range", message)


def _kind(content: Any) -> str | None:
    if isinstance(content, list) and content:
        return GENAI if isinstance(content[0], dict) and "models" in content[0] else OWN
    if is_litellm(content):
        return LITELLM
    return MODELS_DEV if is_models_dev(content) else None


def _read_own(items: Sequence[Any], name: str) -> CatalogueData:
    """A list of our own form; several of them are as many voices, and are heard before everyone else's."""
    own = read_price_list(items, f"price list {name}")
    return replace(own, aliases=own.aliases + _installed().aliases, publisher=name, rank=0)


def _with_known_aliases(data: CatalogueData) -> CatalogueData:
    """With the installed package's aliases: a sync puts those of its data in place of all old ones."""
    return with_multipliers(replace(data, aliases=_installed().aliases))


_READERS: dict[str, Callable[[Any, str], CatalogueData]] = {
    GENAI: lambda items, name: _with_retired(genai_prices.read_json(items, f"genai-prices data in {name}")),
    LITELLM: lambda content, name: _with_known_aliases(read_litellm(content, f"LiteLLM prices in {name}")),
    MODELS_DEV: lambda content, name: _with_known_aliases(read_models_dev(content, f"models.dev prices in {name}")),
    OWN: _read_own,
}


@cache
def _installed() -> CatalogueData:
    """The installed package's catalogue: it does not change while a process runs."""
    return _with_retired(genai_prices.read_bundled())


def _with_retired(data: CatalogueData) -> CatalogueData:
    retired = read_retired()
    known = {(price.provider, price.model_id) for price in data.prices}
    added = tuple(p for p in retired.prices if (p.provider, p.model_id) not in known)
    return with_multipliers(replace(data, prices=data.prices + added, aliases=data.aliases + retired.aliases))
