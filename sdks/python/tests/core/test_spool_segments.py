"""A segment gives back what was put into it: whole records, in order, whatever happened to the file."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_cost_ops.delivery.frames import HEAD_BYTES, Entry, packed, read_frames
from llm_cost_ops.delivery.segments import START, NotASegment, Reader, Writer

SIZE = 16 * 1024
records = st.lists(
    st.builds(
        Entry,
        st.binary(min_size=16, max_size=16),
        st.integers(0, 2**62),
        st.dictionaries(st.text(max_size=5), st.integers(), max_size=3).map(
            lambda fields: json.dumps(fields, ensure_ascii=False).encode()
        ),
    ),
    max_size=8,
)


def written(path: Path, entries: list[Entry]) -> tuple[Path, int]:
    """A segment with these records, and where they end."""
    writer = Writer(path, SIZE)
    for entry in entries:
        assert writer.put(packed(entry.record, entry.key, entry.at_ns))
    writer.close()
    return path, writer.position


def read(path: Path, most: int = 7, size: int = 50) -> list[Entry]:
    """All that a segment gives, taken and settled a few at a time."""
    reader, found = Reader(path), []
    while entries := (run := reader.find(reader.size, most, size)).entries:
        found += entries
        reader.settle(run.position)
    reader.close()
    return found


@given(records)
@settings(max_examples=60, deadline=None)
def test_what_was_put_is_read_back(entries: list[Entry]) -> None:
    with TemporaryDirectory() as folder:
        path, _ = written(Path(folder) / "a.segment", entries)
        assert read(path) == entries


@given(records, st.data())
@settings(max_examples=100, deadline=None)
def test_a_file_cut_anywhere_gives_the_records_before_the_cut(entries: list[Entry], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path, end = written(Path(folder) / "a.segment", entries)
        cut = data.draw(st.integers(START, end))
        with path.open("r+b") as file:
            file.truncate(cut)
        whole, position = [], START
        for entry in entries:
            position += HEAD_BYTES + len(entry.record)
            if position <= cut:
                whole.append(entry)
        assert read(path) == whole


@given(records, st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_byte_costs_one_record_at_most_and_invents_none(entries: list[Entry], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path, end = written(Path(folder) / "a.segment", entries)
        at = data.draw(st.integers(START, max(START, end - 1)))
        with path.open("r+b") as file:
            file.seek(at)
            was = file.read(1)
            file.seek(at)
            file.write(bytes([was[0] ^ data.draw(st.integers(1, 255))]))
        without_one = [entries[:lost] + entries[lost + 1 :] for lost in range(len(entries))]
        assert read(path) in [entries, *without_one]


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_records_give_none(noise: bytes) -> None:
    assert read_frames(noise, 0, 10).entries == []


@given(records.filter(bool), st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_settled_is_not_read_again(entries: list[Entry], data: st.DataObject) -> None:
    settled = data.draw(st.integers(0, len(entries)))
    with TemporaryDirectory() as folder:
        path, _ = written(Path(folder) / "a.segment", entries)
        reader = Reader(path)
        if settled:
            reader.settle(reader.find(reader.size, settled, SIZE).position)
        reader.close()
        assert read(path) == entries[settled:]


def test_a_full_segment_takes_no_more(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.segment", 256)
    assert writer.put(packed(b"{}", bytes(16), 1))
    assert not writer.put(packed(b"x" * 256, bytes(16), 1))
    writer.close()
    assert [entry.record for entry in read(writer.path)] == [b"{}"]


def test_a_file_that_is_no_segment_is_not_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.segment"
    path.write_bytes(b"something else" * 10)
    with pytest.raises(NotASegment):
        Reader(path)


@pytest.mark.parametrize("begun", [b"", bytes(4096)])
def test_a_segment_whose_process_was_killed_while_it_was_made_is_empty(tmp_path: Path, begun: bytes) -> None:
    path = tmp_path / "a.segment"
    path.write_bytes(begun)
    assert read(path) == []


def test_a_record_larger_than_what_is_read_at_once_is_read_whole(tmp_path: Path) -> None:
    entry = Entry(bytes(range(16)), 5, b"x" * 10_000)
    path, _ = written(tmp_path / "a.segment", [entry])
    assert read(path, size=64) == [entry]
