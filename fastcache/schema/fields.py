"""Fields: what one column holds, row by row."""

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class FieldBase:
    """What every field answers: the element type, and the shape of a row if all rows share it."""

    kind: ClassVar[str]
    dtype: str

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """Shape of every row, or None for a ragged column."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes of a row."""
        shape = self.row_shape
        assert shape is not None
        return len(shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize

    @property
    def row_bytes(self) -> int | None:
        """Bytes of a row, or None for a ragged column."""
        shape = self.row_shape
        return None if shape is None else int(np.prod(shape, dtype=np.int64)) * self.itemsize

    def elements(self, count: int) -> int | None:
        """Return the elements that `count` rows take together, or None for a ragged column."""
        shape = self.row_shape
        return None if shape is None else count * math.prod(shape)

    def to_json(self) -> dict[str, Any]:
        """Return a dict that :func:`field_from_json` turns back into this field."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Image(FieldBase):
    """Pixels, stored (H, W, C); handed out (C, H, W). ``size`` None: each row has its own."""

    kind: ClassVar[str] = "image"
    dtype: str = "uint8"
    channels: int = 3
    size: tuple[int, int] | None = None

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        return None if self.size is None else (*self.size, self.channels)

    @property
    def ndim(self) -> int:
        return 3


@dataclass(frozen=True)
class Mask(FieldBase):
    """Class indices per pixel, (H, W), as stored in the file; never interpolated."""

    kind: ClassVar[str] = "mask"
    dtype: str = "uint8"
    size: tuple[int, int] | None = None

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        return self.size

    @property
    def ndim(self) -> int:
        return 2


@dataclass(frozen=True)
class Array(FieldBase):
    """An array of one shape in every sample."""

    kind: ClassVar[str] = "array"
    shape: tuple[int, ...] = ()

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.shape


@dataclass(frozen=True)
class Ragged(FieldBase):
    """An array whose shape differs from sample to sample; ``axes`` is the number of its axes."""

    kind: ClassVar[str] = "ragged"
    axes: int = 1

    @property
    def row_shape(self) -> None:
        return None

    @property
    def ndim(self) -> int:
        return self.axes


@dataclass(frozen=True)
class Scalar(FieldBase):
    """A Python number: handed back as ``int``, ``float`` or ``bool`` according to the dtype."""

    kind: ClassVar[str] = "scalar"

    @property
    def row_shape(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True)
class Text(FieldBase):
    """A string, stored as UTF-8."""

    kind: ClassVar[str] = "text"
    dtype: str = "uint8"

    @property
    def row_shape(self) -> None:
        return None

    @property
    def ndim(self) -> int:
        return 1


@dataclass(frozen=True)
class Nothing(FieldBase):
    """A leaf that is None in every sample; it takes no memory."""

    kind: ClassVar[str] = "nothing"
    dtype: str = "uint8"

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (0,)
