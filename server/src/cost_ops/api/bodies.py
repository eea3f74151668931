"""Request bodies: read up to a limit, unpacked up to the same limit, refused where they are not JSON."""

from __future__ import annotations

import asyncio
import io
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NoReturn

import zstandard

from cost_ops.domain.errors import PayloadTooLarge, UnsupportedMedia, invalid
from cost_ops.domain.exact_json import DECODER

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_IN_A_THREAD_FROM = 32 * 1024
MAX_DEPTH = 40
"""Objects and lists inside each other: deeper ones would exhaust the stack of whoever prints them."""

_MAX_ZSTD_WINDOW = 8 * 1024 * 1024
_MEDIA = frozenset({b"", b"application/json", b"application/x-www-form-urlencoded", b"application/x-ndjson"})


class ClientGone(Exception):
    """The client went away before its request was complete; nobody waits for an answer."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """The unpacked body. Raises UnsupportedMedia, PayloadTooLarge (without reading on), InvalidInput."""
    media = headers.get(b"content-type")
    if media is not None and media != b"application/json":
        _check_media(media)
    encoding = headers.get(b"content-encoding")
    if encoding is not None:
        encoding = encoding.strip().lower()
        if encoding not in (b"gzip", b"x-gzip", b"zstd", b"identity", b""):
            raise UnsupportedMedia(
                f"Content-Encoding {_shown(encoding)} is not taken; use gzip, zstd or none", field="Content-Encoding"
            )
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    packed = await _receive_all(receive, limit)
    if encoding is None or encoding in (b"identity", b""):
        return packed
    unpack = _unzstd if encoding == b"zstd" else _gunzip
    if len(packed) < _IN_A_THREAD_FROM:
        return unpack(packed, limit)
    return await asyncio.to_thread(unpack, packed, limit)


async def _receive_all(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _check_media(value: bytes) -> None:
    media = value.partition(b";")[0].strip().lower()
    if media not in _MEDIA and not media.endswith(b"+json"):
        raise UnsupportedMedia(
            f"Content-Type {_shown(media)} is not taken; send application/json", field="Content-Type"
        )


def _shown(value: bytes) -> str:
    return repr(value[:60].decode("latin-1"))


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the body is larger than {limit} bytes (unpacked); send it in smaller parts", limit_bytes=limit
    )


def _gunzip(packed: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    while True:
        inflater = zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(packed, left + 1)
        except zlib.error:
            _not_unpackable("gzip")
        left -= len(part)
        if left < 0:
            raise _too_large(limit)
        parts.append(part)
        if not inflater.eof:
            _not_unpackable("gzip")
        packed = inflater.unused_data.lstrip(b"\0")
        if not packed:
            return b"".join(parts)


def _unzstd(packed: bytes, limit: int) -> bytes:
    """Twice over: the reader stops at the limit but takes a torn end for the end; the second knows its end."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
    parts: list[bytes] = []
    try:
        with unpacker.stream_reader(io.BytesIO(packed), read_across_frames=True) as reader:
            if len(reader.read(limit + 1)) > limit:
                raise _too_large(limit)
        while packed:
            frame = unpacker.decompressobj()
            parts.append(frame.decompress(packed))
            if not frame.eof:
                _not_unpackable("zstd")
            packed = frame.unused_data
    except zstandard.ZstdError:
        _not_unpackable("zstd")
    return b"".join(parts)


def _not_unpackable(encoding: str) -> NoReturn:
    raise invalid("Content-Encoding", "invalid_encoding", f"the body is not complete and valid {encoding}")


def parse_json(body: bytes) -> Any:
    """Plain values of a JSON body, fractions as exact Decimals. Raises InvalidInput for anything that is not JSON."""
    if not body.strip():
        raise invalid("", "empty_body", "the body is empty; send a JSON object")
    try:
        value = DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise invalid("", "invalid_encoding", f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise invalid("", "invalid_json", f"the body is not valid JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise invalid("", "too_deep", "the body is nested too deeply") from error
    except ValueError as error:
        raise invalid("", "invalid_json", f"the body is not valid JSON: {str(error)[:120]}") from error
    if deeper_than(value, MAX_DEPTH):
        raise invalid("", "too_deep", "the body is nested too deeply")
    return value


def deeper_than(value: Any, levels: int) -> bool:
    """Whether containers are nested more than `levels` deep."""
    if isinstance(value, Mapping):
        return levels == 0 or any(deeper_than(v, levels - 1) for v in value.values())
    if isinstance(value, list):
        return levels == 0 or any(deeper_than(v, levels - 1) for v in value)
    return False
