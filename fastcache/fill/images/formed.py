"""Columns of files whose rows may be kept in different forms: decoded, encoded, or not at all."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fastcache.fill.column import ColumnFill
from fastcache.fill.images import kept
from fastcache.fill.images.file_table import FileTable
from fastcache.schema import Field, Image, Mask
from fastcache.transforms import StorePlan

_TABLE_BYTES = 128  # of a row, copied for the jobs of rows in different forms


class FormedColumn(ColumnFill):
    """The part of :class:`~fastcache.fill.images.files.FilesColumn` that knows forms.

    Attributes
    ----------
    table : FileTable
    forms : uint8 array (N,) or None
        How each row is kept; None: all decoded.
    """

    field: Image | Mask

    def __init__(self, name: str, table: FileTable) -> None:
        super().__init__(name)
        self.table = table
        self.failed = table.failed
        self.forms: kept.Forms | None = None
        self._store: StorePlan | None = None
        self._of_plan = 0, 0  # scratch and tables if all is decoded
        self._verified = False

    @property
    def store(self) -> StorePlan:
        """What ``store=`` does to each row; known after `plan`."""
        assert self._store is not None
        return self._store

    def all_decoded(self, verified: bool) -> None:
        """Begin with all rows decoded; `verified`: others will be decoded once, to see whether."""
        self._of_plan, self._verified = (self.scratch, self.tables), verified
        self.forms = None

    @property
    def row_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each row's pixels."""
        channels = self.field.channels if isinstance(self.field, Image) else 1
        size: npt.NDArray[np.int64] = self.store.out_h * self.store.out_w
        return size * (channels * self.field.itemsize)

    @property
    def file_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes of each row's file."""
        return self.table.info["bytes"].astype(np.int64)

    @property
    def can_be_encoded(self) -> npt.NDArray[np.bool_]:
        """Which rows' files may lie in the arena as they are: .npy files are read from the disk."""
        can = self.table.good() & (self.file_bytes > 0)
        can[list(self.table.npy)] = False
        return can

    def settle(self, forms: kept.Forms) -> None:
        """Keep rows in these forms, but for those that have failed, which take no room."""
        good = self.table.good()
        self.forms = np.where(good, forms, kept.FAILED).astype(np.uint8)
        of_form = kept.counted(self.forms)
        scratch, tables = self._of_plan
        verified = self._verified
        # What is verified is decoded into memory that no row has.
        self.scratch = scratch + (int(self.row_bytes.max(initial=0)) if verified else 0)
        self.tables = tables + _TABLE_BYTES * len(self.forms)
        self.items = (int(good.sum()) if verified else of_form["decoded"]) + of_form["encoded"]

    def layout(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        shapes = self.shapes
        if self.forms is not None and shapes is not None:
            shapes = shapes[self.forms == kept.DECODED]
        return {self.name: (self.field, shapes)}

    def all_shapes(self) -> Mapping[str, npt.NDArray[np.int64]]:
        return {} if self.shapes is None else {self.name: self.shapes}

    def beside(self) -> Mapping[str, tuple[Field, npt.NDArray[np.int64] | None]]:
        if self.forms is None:
            return {}
        sizes = self.file_bytes[self.forms == kept.ENCODED].reshape(-1, 1)
        return {
            **{n: (field, None) for n, field in kept.columns_beside(self.name).items()},
            kept.ENCODED_BYTES + self.name: (kept.ENCODED_FIELD, sizes),
            kept.STAMP_OF + self.name: (kept.STAMP_FIELD, None),
        }

    def counts(self) -> Mapping[str, int]:
        if self.forms is None:
            return {}
        of_form = kept.counted(self.forms)
        return {
            self.name: of_form["decoded"],
            kept.ENCODED_BYTES + self.name: of_form["encoded"],
            kept.STAMP_OF + self.name: of_form["absent"],
        }
