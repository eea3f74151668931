"""The catalogue as it is read from the installed package, once for all tests."""

from __future__ import annotations

import pytest
from genai_prices.data import providers
from genai_prices.types import Provider

from cost_ops.catalog import PROVIDER_NAMES, CatalogueData, load_catalogue
from cost_ops.domain.pricebook import PriceBook


@pytest.fixture(scope="session")
def catalogue() -> CatalogueData:
    return load_catalogue()


@pytest.fixture(scope="session")
def book(catalogue: CatalogueData) -> PriceBook:
    return PriceBook(catalogue.prices, aliases=catalogue.aliases, names=PROVIDER_NAMES)


@pytest.fixture(scope="session")
def genai_providers() -> list[Provider]:
    return providers
