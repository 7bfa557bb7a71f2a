"""What Python makes of one file: the road of everything that C leaves, in fills and in reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.fill.limits import Limits, check_size
from fastcache.fill.steps import npy_step, pillow_step
from fastcache.fill.steps.npy_header import NpyHeader, is_npy, read_header
from fastcache.fill.steps.pillow_step import Decoded
from fastcache.transforms import (
    Operation,
    StorePlan,
    ToDtype,
    compile_store,
    conversion_of,
    store_from_json,
    store_to_json,
)


@dataclass(frozen=True)
class PythonStep:
    """How the files of a column become pixels.

    Attributes
    ----------
    dtype : str
        Of the column.
    color : str
        Mode that images are converted to.
    mask : bool
        Whether the files hold class indices.
    kept : (str, int) or None
        dtype and channels of .npy files that keep these.
    operations : tuple of Operation
        For a mask, what ``store_for_masks`` made of them.
    exif : str
    extra_formats : tuple of str
    limits : Limits
    """

    dtype: str
    color: str
    mask: bool
    kept: tuple[str, int] | None
    operations: tuple[Operation, ...]
    exif: str
    extra_formats: tuple[str, ...]
    limits: Limits

    def from_image(
        self,
        path: str,
        expected: int,
        data: bytes | None = None,
        size: tuple[int, int] | None = None,
    ) -> Decoded:
        """Return the pixels of a file that Pillow decodes.

        Parameters
        ----------
        path : str
        expected : int
            Pixels of the image as its header had them.
        data : bytes, optional
            The file's content, which is not read again then.
        size : (int, int), optional
            Height and width; a file of another size is refused.
        """
        decoded = pillow_step.decode(
            path,
            self.color,
            self.exif,
            self.operations,
            mask=self.mask,
            extra=self.extra_formats,
            limits=self.limits,
            expected=expected,
            size=size,
            data=data,
        )
        return Decoded(self._final(decoded.pixels, path), decoded.animated)

    def from_npy(
        self, path: str, header: NpyHeader, store: StorePlan, row: int
    ) -> npt.NDArray[Any]:
        """Return the pixels of a .npy file; `row` is its own in `store`."""
        pixels = npy_step.read_pixels(path, header, self.limits, self.mask)
        if self.mask:
            made = npy_step.stored_array(pixels, store, row, self.operations)[:, :, 0]
        elif header.kind == self.kept:
            made = npy_step.stored_array(pixels, store, row, self.operations)
        else:
            made = pillow_step.stored_image(npy_step.as_pil(pixels), self.color, self.operations)
        return self._final(made, path)

    @property
    def wide(self) -> bool:
        """Whether C decodes the files to 16 bits."""
        return self.color == "I;16"

    @property
    def conversion(self) -> ToDtype | None:
        """What changes the type of pixels, if anything does."""
        return conversion_of(self.operations)

    def _final(self, pixels: npt.NDArray[Any], path: str) -> npt.NDArray[Any]:
        """Return pixels in the type of the column."""
        if self.conversion is None or pixels.dtype == self.dtype:
            return pixels.astype(self.dtype, copy=False)
        made = np.empty(pixels.shape, self.dtype)
        self.conversion.put(pixels[None], made[None], lambda _: path)
        return made

    def again(
        self, path: str, size: tuple[int, int], data: bytes | None = None
    ) -> npt.NDArray[np.generic]:
        """Return the pixels of a file about which nothing is known but its size (H, W).

        Raises
        ------
        DecodeError
            If it has another size by now, whatever `store=` would make of that.
        """
        if data is None and is_npy(path):
            header = read_header(path, self.limits, self.mask)
            check_size((header.height, header.width), size)
            store = compile_store(self.operations, [header.height], [header.width])
            return self.from_npy(path, header, store, 0)
        return self.from_image(path, size[0] * size[1], data, size).pixels

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON."""
        return {
            **vars(self),
            "operations": store_to_json(self.operations),
            "extra_formats": list(self.extra_formats),
            "limits": asdict(self.limits),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PythonStep":
        """Return the step that `to_json` wrote."""
        kept = data["kept"]
        return cls(
            **{
                **data,
                "kept": None if kept is None else (kept[0], kept[1]),
                "operations": store_from_json(data["operations"]),
                "extra_formats": tuple(data["extra_formats"]),
                "limits": Limits(**data["limits"]),
            }
        )
