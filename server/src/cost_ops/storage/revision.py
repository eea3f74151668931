"""The schema revisions, oldest first: the files of `migrations/versions`. This program is written for the last."""

from __future__ import annotations

REVISIONS = ("0001", "0002", "0003", "0004")
SCHEMA_HEAD = REVISIONS[-1]
