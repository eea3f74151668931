"""The price catalogue: provider names, prices of genai-prices and of retired models, and planning a sync."""

from cost_ops.catalog.catalogue import CatalogueData, LeftOut
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.catalog.sources import load_catalogue
from cost_ops.catalog.sync import HeldChange, SyncPlan, plan_sync

__all__ = ["PROVIDER_NAMES", "CatalogueData", "HeldChange", "LeftOut", "SyncPlan", "load_catalogue", "plan_sync"]
