"""A segment: a file of records, written through memory that outlives the process, and read from its start.

Its first bytes say up to where its records are in the ledger.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

from llm_cost_ops.delivery.frames import HEAD_BYTES, MORE, Entry, next_whole, read_frames

MAGIC = b"LCOSEG01"
_HEADER = struct.Struct("<8sQ")
_SETTLED = struct.Struct("<Q")
_SETTLED_AT = len(MAGIC)
START = 64
_NO_WAIT = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class NotASegment(Exception):
    """The file does not begin as a segment does."""


class Writer:
    """A segment that is being written. What `put` has copied is the kernel's: killing the process does not lose it."""

    def __init__(self, path: Path, size: int) -> None:
        """Make the file, with all its room taken on the disk. Raises OSError where there is none."""
        self.path = path
        self.size = size
        self.position = START
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_WAIT, 0o600)
        try:
            _allocate(fd, size)
            self._map: mmap.mmap = mmap.mmap(fd, size)
            for page in range(0, size, mmap.PAGESIZE):  # so that no `put` waits for a page of it
                self._map[page] = self._map[page]
        except (OSError, ValueError):
            os.unlink(path)
            raise
        finally:
            os.close(fd)

    def put(self, frame: bytes) -> bool:
        """Copy a record; False where the segment is full.

        The room is taken first: a signal's handler or a finalizer that tracks, too, writes behind it.
        """
        at = self.position
        end = at + len(frame)
        if end > self.size:
            return False
        self.position = end
        self._map[at:end] = frame
        return True

    def close(self) -> None:
        """Give the memory back. The file stays."""
        self._map.close()


def _allocate(fd: int, size: int) -> None:
    """Take the room on the disk: memory that has none behind it would end the process when it is written to."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        left = memoryview(bytes(size))
        while left:
            left = left[os.write(fd, left) :]
    os.pwrite(fd, _HEADER.pack(MAGIC, START), 0)


class Found(NamedTuple):
    """Records that were read, where they end, and what could not be read before them."""

    entries: list[Entry]
    position: int
    damaged: bytes = b""


class Reader:
    """A segment that is read, from the first record that is not settled."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, and NotASegment."""
        self._fd = os.open(path, os.O_RDWR | _NO_WAIT)
        try:
            header = os.pread(self._fd, _HEADER.size, 0)
            if not header.strip(b"\0"):  # its process was killed while it made it: there is nothing in it
                self.settled = self.size = START
                return
            if len(header) < _HEADER.size or not header.startswith(MAGIC):
                raise NotASegment(path)
            self.settled = max(START, _HEADER.unpack(header)[1])
            self.size = os.fstat(self._fd).st_size
        except BaseException:
            os.close(self._fd)
            raise

    def find(self, end: int, records: int, size: int) -> Found:
        """The next records before `end`, of about `size` bytes; none: there are none any more."""
        start = self.settled
        length = min(end - start, size)
        while length > 0:
            data = os.pread(self._fd, length, start)
            run = read_frames(data, 0, records)
            if run.entries:
                return Found(run.entries, start + run.position)
            if run.then != MORE or len(data) < length or start + length >= end:
                break
            length = min(end - start, max(length * 2, HEAD_BYTES))
        return self._after_damage(start, end, records)

    def _after_damage(self, start: int, end: int, records: int) -> Found:
        data = os.pread(self._fd, max(0, end - start), start)
        position = next_whole(data, 0)
        if position < 0:
            return Found([], start)
        run = read_frames(data, position, records)
        return Found(run.entries, start + run.position, data[:position])

    def settle(self, position: int) -> None:
        """Say on disk that everything before `position` is done with."""
        self.settled = position
        os.pwrite(self._fd, _SETTLED.pack(position), _SETTLED_AT)

    def close(self) -> None:
        """Close the file. The number is forgotten first: a child that is forked meanwhile must not close another's."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
