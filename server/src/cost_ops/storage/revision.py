"""The schema revision this program is written for: the head of `migrations/versions`."""

from __future__ import annotations

SCHEMA_HEAD = "0001"
