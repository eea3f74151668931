"""The price catalogue: provider names, prices from several sources and of retired models, and planning a sync."""

from cost_ops.catalog.catalogue import CatalogueData, LeftOut
from cost_ops.catalog.preparing import Prepared, prepare
from cost_ops.catalog.providers import PROVIDER_NAMES
from cost_ops.catalog.sources import load_catalogue, parse_source, read_sources
from cost_ops.catalog.sync import HeldChange, SyncPlan, plan_sync

__all__ = [
    "PROVIDER_NAMES",
    "CatalogueData",
    "HeldChange",
    "LeftOut",
    "Prepared",
    "SyncPlan",
    "load_catalogue",
    "parse_source",
    "plan_sync",
    "prepare",
    "read_sources",
]
