"""Where columns are cut after an edit: as before, wherever files can stay as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from fastcache.memory.files.cut import FamilyRows, quantum_of, shard_limit
from fastcache.memory.files.derive import derive_plan
from fastcache.memory.files.mixed import MixedColumn
from fastcache.memory.files.plan import Cut, Family, FilePlan, Saved, is_cut
from fastcache.memory.layout import row_elements, row_ends
from fastcache.schema import Text

# None: an array that is there once, and is not edited.
Columns: TypeAlias = Mapping[str, MixedColumn | None]


def plan_again(old: FilePlan, columns: Columns, count: int) -> FilePlan:
    """Plan the files of an arena that was edited.

    Shards whose rows are as they were keep their places; rows behind the last begin in the last
    shard, unless it is full. A column that is new is cut by itself.

    Parameters
    ----------
    old : FilePlan
        Of the arena as it is.
    columns : mapping of str to MixedColumn or None
        In the order of the arena.
    count : int
        Samples of the arena.

    Raises
    ------
    SchemaError
        If it would take more addresses than there are.
    """
    saved = {name: _saved(old, name, column) for name, column in columns.items()}
    limit = shard_limit(None, sum(map(_bytes_of, columns, columns.values())))
    families: list[tuple[Sequence[str], Sequence[Cut]]] = []
    left = [n for n, column in columns.items() if column is not None and is_cut(column.field)]
    for family in old.families:
        rows = count if family.count == old.layout.count else family.count
        names = [name for name in family.columns if _stays(columns, name, rows)]
        if any(columns[name] is None for name in names):
            cuts = [Cut(shard.rows, {}) for shard in family.shards]
            families.append((names, cuts))
            continue
        made = {name: column for name in names if (column := columns[name]) is not None}
        if made:
            rows_of_family = _rows_of(old, made)
            as_before = len(made) == len(family.columns) and not _moved(old, made)
            cut = _behind(family, rows_of_family, limit) if as_before else None
            families.append((names, cut or _anew(rows_of_family, made, _most(family, limit))))
            saved.update(_with_strides(saved, rows_of_family))
        left = [name for name in left if name not in made]
    for name in left:
        column = columns[name]
        assert column is not None
        alone = _rows_of(None, {name: column})
        families.append(([name], _anew(alone, {name: column}, limit)))
        saved.update(_with_strides(saved, alone))
    return derive_plan(count, saved, families)


def _stays(columns: Columns, name: str, rows: int) -> bool:
    """Whether a column is still cut, and has as many rows as the others of its family."""
    if name not in columns:
        return False
    column = columns[name]
    return column is None or (is_cut(column.field) and len(column) == rows)


def _moved(old: FilePlan, made: Mapping[str, MixedColumn]) -> bool:
    """Whether rows have other places than before: those of other kinds, or of other sizes."""
    return any(
        column.field != old.saved[name].field
        or (column.field.row_shape is None and not column.original)
        for name, column in made.items()
    )


def _bytes_of(name: str, column: MixedColumn | None) -> int:
    if column is None:
        return 0
    size = column.field.row_bytes
    if size is not None:
        return size * len(column)
    return int(row_elements(name, column.shapes).sum()) * column.field.itemsize


def _saved(old: FilePlan, name: str, column: MixedColumn | None) -> Saved:
    if column is None:
        return old.saved[name]
    field = column.field
    elements = _bytes_of(name, column) if isinstance(field, Text) else None
    return Saved(field, len(column), field.row_bytes, elements)


def _rows_of(old: FilePlan | None, made: Mapping[str, MixedColumn]) -> FamilyRows:
    """Return the rows of a family; those that were padded stay so."""
    strides, elements, itemsizes = {}, {}, {}
    for name, column in made.items():
        field = column.field
        itemsizes[name], size = field.itemsize, field.row_bytes
        if size is None:
            elements[name] = row_ends(row_elements(name, column.shapes))
        else:
            before = None if old is None else old.saved[name]
            strides[name] = size
            if before is not None and before.field == field and before.stride is not None:
                strides[name] = before.stride
    return FamilyRows(strides, elements, itemsizes, max(map(len, made.values())))


def _with_strides(saved: Mapping[str, Saved], rows: FamilyRows) -> dict[str, Saved]:
    return {name: replace(saved[name], stride=stride) for name, stride in rows.strides.items()}


def _most(family: Family, limit: int) -> int:
    """Return the bytes that a shard may have: of several, the largest shows what was asked for."""
    if len(family.shards) < 2:
        return limit
    return max(shard.data_bytes for shard in family.shards)


def _anew(rows: FamilyRows, made: Mapping[str, MixedColumn], limit: int) -> list[Cut]:
    """Cut all rows of a family; they are padded, if they have to be."""
    for name in rows.strides:
        rows.strides[name] = made[name].field.row_bytes or 0
    rows.pad(limit)
    return rows.cuts(limit)


def _cut_of(rows: FamilyRows, first: int, stop: int) -> Cut:
    ends = rows.elements.items()
    return Cut(stop - first, {name: int(each[stop] - each[first]) for name, each in ends})


def _behind(family: Family, rows: FamilyRows, limit: int) -> list[Cut] | None:
    """Return the cuts of a family as they are, and those of rows behind its last.

    None if its only shard has rows that cannot be cut so that shards have at most `limit` bytes.
    """
    stops = [shard.first + shard.rows for shard in family.shards]
    kept = [
        _cut_of(rows, stop - s.rows, stop) for s, stop in zip(family.shards, stops, strict=True)
    ]
    if rows.count == family.count:
        return kept
    limit = _most(family, limit)
    quantum = max(map(quantum_of, rows.strides.values()), default=1)
    if len(kept) < 2 and quantum * sum(rows.strides.values()) > limit:
        return None
    if kept and not _is_full(rows, kept[-1], stops[-1], quantum, limit):
        kept.pop()
    first = sum(cut.rows for cut in kept)
    elements = {name: ends[first:] - ends[first] for name, ends in rows.elements.items()}
    behind = FamilyRows(rows.strides, elements, rows.itemsizes, rows.count - first)
    return [*kept, *behind.cuts(limit)]


def _is_full(rows: FamilyRows, last: Cut, stop: int, quantum: int, limit: int) -> bool:
    """Whether the last shard ends on a page, and has no room for the rows of another."""
    if last.rows % quantum:
        return False
    more = min(stop + quantum, rows.count)
    return bool(rows.bytes_before(more) - rows.bytes_before(stop - last.rows) > limit)
