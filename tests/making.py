"""Requests to the read job, put together for tests."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache._core import planes, recipe
from fastcache._core.field_specs import ELEMENTS
from fastcache._core.image import PENDING, Spec
from fastcache.transforms.steps import DRAWN, EMIT, MAP

Pixels = npt.NDArray[np.uint8]
DTYPES = {"uint8": np.uint8, "uint16": np.uint16, "float32": np.float32, "float16": np.float16}
SCALINGS = {
    "plain": planes.PLAIN,
    "unit": planes.UNIT,
    "normalised": planes.NORMALISED,
    "normalised_plain": planes.NORMALISED_PLAIN,
}
MEAN, STD = (0.485, 0.456, 0.406, 0.5), (0.229, 0.224, 0.225, 0.25)


def emit_of(
    dtype: str = "uint8",
    channels: int = 3,
    *,
    planar: bool = False,
    scaling: str = "plain",
    mean: tuple[float, ...] = MEAN,
    std: tuple[float, ...] = STD,
    streaming: bool = False,
) -> npt.NDArray[np.void]:
    """Return one EMIT record."""
    emit = np.zeros(1, EMIT)
    emit["element"], emit["channels"], emit["planar"] = ELEMENTS[dtype], channels, planar
    emit["scaling"], emit["streaming"] = SCALINGS[scaling], streaming
    emit["mean"], emit["std"] = mean, std
    return emit


def plain_drawn(height: int, width: int) -> npt.NDArray[np.void]:
    """Return a DRAWN record of one stage that changes nothing."""
    drawn = np.zeros(1, DRAWN)
    drawn["stages"] = 1
    geometry = drawn["stage"]["geometry"]
    for kind in ("src", "crop", "size", "out"):
        geometry[f"{kind}_h"][:, 0], geometry[f"{kind}_w"][:, 0] = height, width
    return drawn


def raw(array: npt.NDArray[Any]) -> Pixels:
    """Return the bytes of an array or of records."""
    return array.reshape(-1).view(np.uint8)


def make_one(
    pixels: Pixels, drawn: npt.NDArray[np.void], emit: npt.NDArray[np.void], **more: Any
) -> npt.NDArray[Any]:
    """Make one sample; halves of bfloat16 come as uint16."""
    last = drawn["stage"][0][int(drawn["stages"][0]) - 1]["geometry"]
    height, width, channels = int(last["out_h"]), int(last["out_w"]), int(emit["channels"][0])
    shape = (channels, height, width) if emit["planar"][0] else (height, width, channels)
    name = next(name for name, number in ELEMENTS.items() if number == emit["element"][0])
    out = np.zeros(shape, np.uint16 if name == "bfloat16" else DTYPES[_plain(name)])
    spec = Spec(channels=channels, wide=pixels.dtype == np.uint16)
    status, _ = recipe.Maker().make(raw(pixels), spec, raw(drawn), raw(emit), raw(out), **more)
    assert status == 0
    return out


def _plain(name: str) -> str:
    return "uint8" if name == "bool" else name


class Request:
    """N images of one memory, and the buffers that a job of them needs."""

    def __init__(self, images: list[Pixels], out_shape: tuple[int, ...], dtype: Any) -> None:
        self.images = images
        self.source = np.concatenate([image.reshape(-1) for image in images])
        sizes = np.array([image.size for image in images], np.int64)
        self.offset = np.cumsum(sizes) - sizes
        self.height = np.array([image.shape[0] for image in images], np.int32)
        self.width = np.array([image.shape[1] for image in images], np.int32)
        self.out = np.zeros((len(images), *out_shape), dtype)
        each = self.out.nbytes // len(images)
        self.out_offset = np.arange(len(images), dtype=np.int64) * each
        self.out_size = np.full(len(images), each, np.int64)

    def plane(self, spec: Spec, emit: npt.NDArray[np.void], **more: Any) -> planes.Plane:
        """Return the column of these images; `more` replaces or adds arguments of Plane."""
        names = ("offset", "height", "width", "out", "out_offset", "out_size")
        given = {name: raw(getattr(self, name)) for name in names}
        given |= {"spec": spec, "emit": raw(emit), "source": self.source}
        return planes.Plane(**(given | more))


class Batch:
    """A MakeJob with its own status arrays."""

    def __init__(
        self, columns: list[planes.Plane], steps: npt.NDArray[np.void], n: int, **more: Any
    ) -> None:
        self.status = np.full(n, PENDING, np.int32)
        self.detail = np.zeros(n, np.int32)
        self.maps = np.zeros(n, MAP)
        given = {
            "seed": 5,
            "epoch": raw(np.full(n, 2, np.uint64)),
            "sample": raw(np.arange(n, dtype=np.uint64)),
            "occurrence": raw(np.zeros(n, np.uint32)),
            "status": raw(self.status),
            "detail": raw(self.detail),
            "maps": raw(self.maps),
        }
        self.job = recipe.MakeJob(
            columns, steps if isinstance(steps, list) else raw(steps), **(given | more)
        )
