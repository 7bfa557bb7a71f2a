"""From what a source offers to the columns that fill it in."""

from collections.abc import Sequence

from fastcache.errors import ArgumentError
from fastcache.fill.boxes import BoxesColumn
from fastcache.fill.column import ColumnFill
from fastcache.fill.conversion import is_convertible
from fastcache.fill.images.file_table import FileTable
from fastcache.fill.images.files import FilesColumn
from fastcache.fill.options import FillOptions
from fastcache.fill.values import ItemsColumns, ValuesColumn
from fastcache.fill.windows import DerivedColumn, WindowsColumn
from fastcache.memory.row_numbers import RowNumbers
from fastcache.sources.base import (
    BoxRows,
    DerivedValues,
    ImageFiles,
    Items,
    Layout,
    Source,
    Values,
    Windowed,
)
from fastcache.transforms import Operation, ToDtype


def make_columns(
    source: Source,
    layout: Layout,
    rows: RowNumbers,
    options: FillOptions,
    tables: dict[str, FileTable] | None = None,
) -> list[ColumnFill]:
    """Return the columns of a source, for some of its samples.

    Parameters
    ----------
    source : Source
    layout : Layout
        What ``source.layout()`` gave.
    rows : AllRows or int64 array
        Samples of the source that are taken.
    options : FillOptions
    tables : dict of FileTable, optional
        Files that were probed before with the same options (but for ``store=``), by column; those
        that are probed now are added. Columns get copies.

    Raises
    ------
    ArgumentError
        If ``store=`` was given and there are no images, and for a ToDtype no arrays of floats.
    """
    columns: list[ColumnFill] = []
    has_images = False
    for name, feed in layout.feeds.items():
        if isinstance(feed, ImageFiles):
            paths = [feed.paths[row] for row in rows.tolist()]
            table = None
            if tables is not None:
                if name not in tables:
                    tables[name] = FileTable(paths, feed.mask, options)
                table = tables[name].copy()
            columns.append(FilesColumn(name, paths, feed.mask, options, table))
            has_images = True
        elif isinstance(feed, Values):
            columns.append(ValuesColumn(name, feed, rows, options.store))
        elif isinstance(feed, Windowed):
            columns.append(WindowsColumn(name, feed, rows, options.store))
        elif isinstance(feed, DerivedValues):
            columns.append(DerivedColumn(name, feed, options.store))
        elif isinstance(feed, BoxRows):
            images = {column.name: column for column in columns}
            columns.append(BoxesColumn(name, feed, rows, images[feed.image]))
    items = {name: feed for name, feed in layout.feeds.items() if isinstance(feed, Items)}
    if items:
        columns.append(ItemsColumns(source, items, rows, options))
    _check_store(options.store, layout, has_images or any(feed.pil for feed in items.values()))
    return columns


def _check_store(store: Sequence[Operation], layout: Layout, has_images: bool) -> None:
    """Refuse operations that no column is meant by."""
    if has_images or not store:
        return
    if not all(isinstance(operation, ToDtype) for operation in store):
        raise ArgumentError("store= was given, but the source has no images to apply it to")
    fields = {name: f.field for name, f in layout.feeds.items() if not isinstance(f, ImageFiles)}
    if not any(is_convertible(name, field) for name, field in fields.items()):
        told = ", ".join(f"{name} ({field.kind} {field.dtype})" for name, field in fields.items())
        raise ArgumentError(
            f"store={store[0]}: the source has neither images nor arrays of floats to convert, "
            f"but {told}"
        )
