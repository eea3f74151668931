"""Pages: numbered ones, and cursors that hold a position and refuse to be bent."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from cost_ops.domain.errors import invalid
from cost_ops.interfaces.storage import Position

_T = TypeVar("_T")
_LENGTH = 8 + 8 + 4
_CHECK = 8


class Pagination(Struct):
    """Where this page stands. `next_cursor` is null on the last page, and where a list has no cursors."""

    page: int
    page_size: int
    total_items: int
    total_pages: int
    has_next: bool
    has_previous: bool
    next_cursor: Annotated[str | None, Meta(description="give it as `cursor` to get the next page")]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list that is sorted newest first, and the number of the page that begins there."""

    position: Position
    page: int

    def text(self, question: str) -> str:
        """The opaque form. `question` is what was asked: a cursor is good for the same question only."""
        packed = (
            self.position.timestamp_us.to_bytes(8, "big", signed=True)
            + self.position.uid.to_bytes(8, "big")
            + self.page.to_bytes(4, "big")
        )
        return base64.urlsafe_b64encode(packed + _check(packed, question)).decode().rstrip("=")


def read_cursor(text: str, question: str) -> Cursor:
    """The cursor that `text` is. Raises InvalidInput where it is none, or of another question."""
    refused = invalid("cursor", "invalid_cursor", "cursor is not a next_cursor of this list with these parameters")
    if not (text.isascii() and len(text) < 100):
        raise refused
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise refused from error
    content, check = packed[:_LENGTH], packed[_LENGTH:]
    if len(content) != _LENGTH or check != _check(content, question):
        raise refused
    position = Position(int.from_bytes(content[:8], "big", signed=True), int.from_bytes(content[8:16], "big"))
    return Cursor(position, int.from_bytes(content[16:], "big"))


def _check(packed: bytes, question: str) -> bytes:
    return hashlib.blake2b(packed + question.encode("utf-8", "surrogatepass"), digest_size=_CHECK).digest()


def question_of(*parts: object) -> str:
    """What a cursor belongs to, as text."""
    return repr(parts)


def pagination(*, page: int, page_size: int, total: int, next_cursor: str | None = None, has_next: bool) -> Pagination:
    """The `pagination` object of an answer."""
    pages = -(-total // page_size)
    return Pagination(page, page_size, total, pages, has_next, page > 1, next_cursor)


def cut(items: Sequence[_T], page: int, page_size: int) -> tuple[list[_T], Pagination]:
    """One page of a list that is held whole."""
    start = (page - 1) * page_size
    shown = list(items[start : start + page_size])
    more = start + page_size < len(items)
    return shown, pagination(page=page, page_size=page_size, total=len(items), has_next=more)
