"""The reader of each column of an arena."""

from collections.abc import Mapping

from fastcache.fill.images.kept import Decoding, KeptRows
from fastcache.memory.arena import Arena, DenseColumn, RaggedColumn
from fastcache.memory.windows import WindowColumn
from fastcache.read.columns.columns import (
    DenseReader,
    NothingReader,
    RaggedReader,
    Reader,
    ScalarReader,
    TextReader,
)
from fastcache.read.columns.fetch import FetchReader
from fastcache.read.columns.window import WindowReader
from fastcache.read.columns.window_labels import WindowLabelReader
from fastcache.read.columns.window_statistics import StatisticsReader
from fastcache.schema import (
    Derived,
    Field,
    Image,
    Mask,
    Nothing,
    Scalar,
    Text,
    Windows,
    WindowStatistics,
)


def make_readers(arena: Arena, fields: Mapping[str, Field]) -> dict[str, Reader]:
    """Return readers by column; those that are made of other columns come to these for rows."""
    readers = {
        name: make_reader(arena, name, field)
        for name, field in fields.items()
        if not isinstance(field, Derived)
    }
    return {
        name: _derived(readers, field) if isinstance(field, Derived) else readers[name]
        for name, field in fields.items()
    }


def make_reader(arena: Arena, name: str, field: Field) -> Reader:
    """Return the reader of a column that the arena has; a Nothing field has none there."""
    if isinstance(field, Nothing):
        return NothingReader()
    column = arena.column(name)
    decoding = arena.catalog.get("kept", {}).get(name)
    if decoding is not None:
        assert isinstance(column, DenseColumn | RaggedColumn)
        assert isinstance(field, Image | Mask)
        kept, how = KeptRows.of(arena, name), Decoding.from_json(decoding)
        paths = make_reader(arena, arena.catalog["paths"][name], Text())
        return FetchReader(column, field, kept, how, paths)
    if isinstance(column, WindowColumn):
        is_series = isinstance(field, Windows)
        return WindowReader(column) if is_series else WindowLabelReader(column)
    if isinstance(column, RaggedColumn):
        return TextReader(column) if isinstance(field, Text) else RaggedReader(column, field)
    return ScalarReader(column.rows) if isinstance(field, Scalar) else DenseReader(column, field)


def _derived(readers: Mapping[str, Reader], field: Derived) -> Reader:
    windows = readers[field.of]
    assert isinstance(windows, WindowReader)
    return StatisticsReader(windows, field) if isinstance(field, WindowStatistics) else windows
