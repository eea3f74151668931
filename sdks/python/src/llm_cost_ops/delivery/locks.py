"""Whose segments are whose: a process holds a lock as long as it lives, and the kernel lets go of it when it dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

try:
    import fcntl
except ImportError:  # Windows: there is no spool, records wait in memory
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".lock"


def possible() -> bool:
    """Whether files can be locked here."""
    return fcntl is not None


class Held:
    """A lock that this process holds."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @property
    def name(self) -> str:
        """What the names of its segments begin with."""
        return self.path.name[: -len(SUFFIX)]

    def segments(self) -> list[Path]:
        """Its segments, oldest first."""
        return sorted(self.path.parent.glob(f"{self.name}.*.segment"))

    def close(self) -> None:
        """Let go of it here. A forked child that does this does not let go for its parent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def remove(self) -> None:
        """Let go of it for good: there are no segments any more."""
        self.path.unlink(missing_ok=True)
        self.close()


def new_lock(folder: Path) -> Held:
    """A lock of this process, under a name that no other has. Raises OSError."""
    while True:
        path = folder / f"{os.getpid()}-{os.urandom(6).hex()}{SUFFIX}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        held = take(path)
        if held is not None:
            return held


def take(path: Path) -> Optional[Held]:
    """The lock of a process that is no more; None where it lives, or another one was quicker. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            return Held(path, fd)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None
