"""Images in .npy files: read, placed as images are, channel by channel."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastcache.errors import DecodeError
from fastcache.fill.limits import Limits, open_regular
from fastcache.fill.steps.npy_header import NpyHeader, header_of, read_header
from fastcache.fill.steps.pillow_step import wrong_mode_told
from fastcache.sources.colors import converted
from fastcache.transforms import StorePlan, apply_store
from fastcache.transforms.operation import FILTERS, PIL_FILTERS, Operation

_RESAMPLINGS = {FILTERS[name]: code for name, code in PIL_FILTERS.items()}


def read_pixels(path: str, header: NpyHeader, limits: Limits, mask: bool) -> npt.NDArray[Any]:
    """Return (H, W, C) in native byte order.

    Raises
    ------
    DecodeError
        If the header no longer says what it did, or the file ends early.
    """
    with open_regular(path, limits) as file:
        if header_of(file, limits, mask) != header:
            raise DecodeError("the file changed after its header was read")
        count = header.height * header.width * header.channels
        flat = np.fromfile(file, header.stored, count)
    if flat.size < count:
        raise DecodeError("the file changed after its header was read")
    native = flat.astype(header.dtype, copy=False)
    stored = native.reshape(header.shape, order="F" if header.fortran else "C")
    if stored.ndim == 2:
        return stored[:, :, None]
    return stored.transpose(1, 2, 0) if header.chw else stored


def as_pil(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """Return uint8 (H, W, C) as a PIL image of mode L, RGB or RGBA."""
    plain = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    return Image.fromarray(np.ascontiguousarray(plain))


def load_as_pil(path: str, color: str | None, limits: Limits) -> Image.Image:
    """Return a .npy file as a PIL image: uint8 in `color` (None: as it is), others in one channel.

    Raises
    ------
    DecodeError
        For several channels of another dtype: PIL has no such images.
    """
    header = read_header(path, limits)
    pixels = read_pixels(path, header, limits, mask=False)
    if header.dtype == "uint8":
        image = as_pil(pixels)
        return image if color is None else converted(image, color)
    if header.channels > 1:
        raise DecodeError(
            f"{path}: PIL has no images of {header.dtype} with {header.channels} channels; "
            "numpy.load reads the file"
        )
    plain = pixels[:, :, 0]
    return Image.fromarray(
        np.ascontiguousarray(plain, None if header.dtype == "uint16" else np.float32)
    )


def stored_array(
    pixels: npt.NDArray[Any], store: StorePlan, row: int, operations: Sequence[Operation]
) -> npt.NDArray[Any]:
    """Return what ``store=`` makes of (H, W, C), channel by channel, dtype kept.

    Cutting and padding are exact. Resampling is Pillow's, in mode L, I;16 or F: floats pass
    through 32 bits and are rounded back.
    """
    if store.needs_python[row]:
        return _per_channel(pixels, lambda image: apply_store(operations, image))
    (cy, cx, ch, cw, sh, sw, wy, wx, oh, ow) = (
        int(store.geometry[row][name])
        for name in (
            *("crop_y", "crop_x", "crop_h", "crop_w", "size_h", "size_w"),
            *("win_y", "win_x", "out_h", "out_w"),
        )
    )
    inner = pixels[cy : cy + ch, cx : cx + cw]
    if (sh, sw) != (ch, cw):
        filter_ = _RESAMPLINGS[store.filter]
        inner = _per_channel(inner, lambda image: image.resize((sw, sh), filter_))
    if (wy, wx, oh, ow) == (0, 0, sh, sw):
        return inner
    out = np.full((oh, ow, pixels.shape[2]), store.fill, pixels.dtype)
    part = inner[max(wy, 0) : wy + oh, max(wx, 0) : wx + ow]
    top, left = max(-wy, 0), max(-wx, 0)
    out[top : top + part.shape[0], left : left + part.shape[1]] = part
    return out


def _per_channel(
    pixels: npt.NDArray[Any], work: Callable[[Image.Image], Image.Image]
) -> npt.NDArray[Any]:
    """Do something to every channel as a PIL image."""
    floats = pixels.dtype.kind == "f"
    made = []
    for k in range(pixels.shape[2]):
        with np.errstate(over="ignore"):  # float64 into 32 bits: found out below
            channel = np.ascontiguousarray(pixels[:, :, k], np.float32 if floats else None)
        if floats and np.isinf(channel).sum() > np.isinf(pixels[:, :, k]).sum():
            raise DecodeError(
                f"holds {pixels.dtype} beyond the range of float32, in which it is resampled"
            )
        # The overshoot of float16 becomes infinite, as in torch.
        with wrong_mode_told(), np.errstate(over="ignore"):
            made.append(np.asarray(work(Image.fromarray(channel))).astype(pixels.dtype))
    return np.stack(made, axis=2)
