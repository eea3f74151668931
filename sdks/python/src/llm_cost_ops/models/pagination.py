"""Where in a long list a page stands."""

from __future__ import annotations

from typing import Optional

from llm_cost_ops.models.base import Model


class Pagination(Model):
    """Where in a long list a page stands."""

    page: int
    page_size: Optional[int]
    total_items: Optional[int]
    total_pages: Optional[int]
    has_next: bool
    has_previous: bool
    next_cursor: Optional[str]
