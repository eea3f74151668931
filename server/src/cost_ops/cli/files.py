"""Usage files on disk or on stdin: unpacked, fingerprinted, and read as text piece by piece."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from cost_ops.cli.errors import Refused
from cost_ops.domain.formats.known import Reading, detect, values_of
from cost_ops.domain.formats.reading import Told
from cost_ops.domain.records_file import Found, read_csv, read_json, read_json_lines

CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"
_SNIFF = 1 << 20


class UsageFile:
    """A usage file that can be read more than once. `digest` is the SHA-256 of its unpacked bytes, in hex."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        """`file` is seekable, and packed or not."""
        self._file = file
        self.packed = file.read(2) == _GZIP
        self.name = name.removesuffix(".gz") if self.packed else name
        self.packed_size = file.seek(0, os.SEEK_END)
        self.digest, self._start = self._look()
        self.is_empty = not self._start.strip()
        self.unit = "line"

    def _look(self) -> tuple[str, str]:
        """The fingerprint and the beginning of the content."""
        digest = hashlib.sha256()
        start = b""
        with self._unpacked() as unpacked:
            while piece := unpacked.read(CHUNK):
                digest.update(piece)
                if len(start) < _SNIFF:
                    start += piece[: _SNIFF - len(start)]
        self._encoding = "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        return digest.hexdigest(), start.decode(self._encoding, "replace")

    @contextmanager
    def _unpacked(self) -> Iterator[IO[bytes]]:
        self._file.seek(0)
        if not self.packed:
            yield self._file
            return
        try:
            with gzip.GzipFile(fileobj=self._file) as unpacked:
                yield cast("IO[bytes]", unpacked)
        except (EOFError, gzip.BadGzipFile) as error:
            raise Refused(f"{self.name} is packed with gzip and damaged: {error}") from error

    def reading(self, form: str) -> Reading:
        """How the file is read; `form` is a syntax, the name of another system's format, or auto."""
        reading = detect(self._start, self.name.lower(), form)
        self.unit = "record" if reading.syntax == "json" else "line"
        return reading

    def records(self, reading: Reading, told: Told) -> Iterator[Found]:
        """The records in the file."""
        with self._unpacked() as unpacked:
            newline = "" if reading.syntax == "csv" else None
            # Broken bytes become what text_fault refuses, so that one bad record costs no other.
            text = io.TextIOWrapper(unpacked, encoding=self._encoding, errors="surrogateescape", newline=newline)
            try:
                if reading.format is not None:
                    yield from reading.format.convert(values_of(reading, text, lambda: text.read(CHUNK)), told)
                elif reading.syntax == "json":
                    yield from read_json(lambda: text.read(CHUNK))
                elif reading.syntax == "jsonl":
                    yield from read_json_lines(text)
                else:
                    yield from read_csv(
                        text, provider_given=told.provider is not None, model_given=told.model is not None
                    )
            finally:
                text.detach()

    def position(self) -> int:
        """How far the packed file was read, in bytes."""
        return self._file.tell()


class UsageSource:
    """What `--file` names: a file, standard input, or a folder of session logs with everything beneath it."""

    def __init__(self, path: str) -> None:
        """`-` is standard input. Raises Refused where there is nothing that can be read."""
        self.is_folder = path != "-" and Path(path).is_dir()
        self.name = "standard input" if path == "-" else path
        self.is_empty = False
        self._path = path
        self._inner = _session_logs(Path(path)) if self.is_folder else []
        if self.is_folder and not self._inner:
            raise Refused(f"{path} is a folder without .jsonl files; name a file, or a folder of session logs")
        if not self.is_folder and path != "-":
            _opened(path).close()
        self.packed_size = sum(inner.stat().st_size for inner in self._inner) if self.is_folder else None
        self._done = 0
        self._current: UsageFile | None = None

    def files(self) -> Iterator[UsageFile]:
        """The files, one open at a time."""
        for inner in self._inner or [Path(self._path)]:
            with open_usage_file(str(inner)) as file:
                if self.is_folder:
                    file.name = inner.relative_to(self._path).as_posix()
                else:
                    self.name, self.is_empty, self.packed_size = file.name, file.is_empty, file.packed_size
                self._current = file
                yield file
                self._done += file.packed_size
                self._current = None

    def position(self) -> int:
        """How far everything was read, in packed bytes."""
        return self._done + (self._current.position() if self._current is not None else 0)


def _session_logs(folder: Path) -> list[Path]:
    """The logs beneath a folder, those of side conversations last: they repeat what the session's own log tells."""
    found = [path for path in folder.rglob("*") if path.name.endswith((".jsonl", ".jsonl.gz")) and path.is_file()]
    return sorted(found, key=lambda path: ("subagents" in path.parts, path.as_posix()))


@contextmanager
def open_usage_file(path: str) -> Iterator[UsageFile]:
    """The usage file at a path; `-` is stdin, which is kept in a temporary file meanwhile. Raises Refused."""
    if path == "-":
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.seek(0)
            yield UsageFile(spool, "standard input")
        return
    with _opened(path) as file:
        yield UsageFile(file, path)


def _opened(path: str) -> IO[bytes]:
    try:
        return Path(path).open("rb")
    except IsADirectoryError as error:
        raise Refused(f"{path} is a folder; name a file") from error
    except FileNotFoundError as error:
        raise Refused(f"There is no file {path}") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
