"""The usage shapes that come with the program: one JSON file each, in `shapes`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from cost_ops.domain.extraction import ShapeBook
from cost_ops.domain.shape_reading import read_shapes


@cache
def load_shapes() -> ShapeBook:
    """The book of all shapes, read once. Raises InvalidInput where a file is no shape."""
    found = sorted(files("cost_ops.catalog").joinpath("shapes").iterdir(), key=lambda file: file.name)
    texts = [file.read_text(encoding="utf-8") for file in found if file.name.endswith(".json")]
    return ShapeBook(read_shapes(json.loads(text) for text in texts))
