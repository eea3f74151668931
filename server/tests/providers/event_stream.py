"""Amazon's event stream encoding (`application/vnd.amazon.eventstream`): what Bedrock's streams are written in.

A message is: its length, the length of its headers, a CRC of these two, the headers, the payload, a CRC of it all.
"""

import json
import struct
from typing import Any
from zlib import crc32

_TEXT = 7
"""The type number of a header that holds text."""


def encoded(event: dict[str, Any]) -> bytes:
    """One event, `{"its type": its payload}`, as a message."""
    ((kind, payload),) = event.items()
    about = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(_header(name, value) for name, value in about.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    text = value.encode()
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _TEXT, len(text)) + text
