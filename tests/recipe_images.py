"""Recipes done to arrays of pixels: action after action, as users think of them, and by stages.

Colours are stand-ins that are exact: only their order, and what contrast sees of the image, matter
here.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from drawing_reference import Action
from PIL import Image

from fastcache._core import image as core
from fastcache.transforms import GEOMETRY
from fastcache.transforms.operation import PIL_FILTERS
from fastcache.transforms.steps import COLOURS, PADDINGS

Pixels = npt.NDArray[np.uint8]
Resize = Callable[[Pixels, int, int, int], Pixels]
BY_NUMBER = list(PIL_FILTERS.values())
PAD_MODES = {number: name for name, number in PADDINGS.items()}


def picture(h: int, w: int, seed: int) -> Pixels:
    """Return noise over a slope: no two pixels that matter are alike."""
    rng = np.random.default_rng((seed, h, w))
    slope = np.add.outer(np.linspace(0, 90, h), np.linspace(0, 90, w))[..., None]
    return (slope + rng.integers(0, 76, (h, w, 3))).astype(np.uint8)


def pillow_resize(image: Pixels, h: int, w: int, filter_: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((w, h), BY_NUMBER[filter_]))


def core_geometry(image: Pixels, geometry: np.void, filter_: int, fill: int = 0) -> Pixels:
    """Do a geometry with the C resampler."""
    out = np.empty((int(geometry["out_h"]), int(geometry["out_w"]), 3), np.uint8)
    spec = core.Spec(filter=filter_, fill=fill)
    record = np.array([geometry], GEOMETRY).view(np.uint8)
    core.resample(np.ascontiguousarray(image).reshape(-1), spec, record, out.reshape(-1))
    return out


def core_resize(image: Pixels, h: int, w: int, filter_: int) -> Pixels:
    height, width = image.shape[:2]
    record = np.zeros(1, GEOMETRY)
    record["src_h"], record["src_w"] = record["crop_h"], record["crop_w"] = height, width
    record["size_h"], record["size_w"] = record["out_h"], record["out_w"] = h, w
    return core_geometry(image, record[0], filter_)


def window(image: Pixels, y: int, x: int, h: int, w: int, padding: int, fill: int) -> Pixels:
    """Pad as numpy.pad does, and cut."""
    height, width = image.shape[:2]
    top, left = max(-y, 0), max(-x, 0)
    around = ((top, max(y + h - height, 0)), (left, max(x + w - width, 0)), (0, 0))
    constant = {"constant_values": fill} if padding == PADDINGS["constant"] else {}
    padded = np.pad(image, around, mode=PAD_MODES[padding], **constant)
    return padded[y + top : y + top + h, x + left : x + left + w]


def colour(image: Pixels, kind: int, amount: float) -> Pixels:
    """Do something that depends on kind and amount; contrast on all pixels, others on each."""
    numbers = image.astype(np.int64)
    if kind == COLOURS["contrast"]:
        numbers = numbers + int(numbers.sum() % 97) + round(amount * 10)
    elif kind == COLOURS["grey"]:
        numbers = np.broadcast_to(numbers.sum(axis=2, keepdims=True) // 3, numbers.shape)
    else:
        numbers = numbers * (2 * kind + 3) + round(amount * 100)
    return (numbers % 256).astype(np.uint8)


def do_actions(image: Pixels, actions: Sequence[Action], resize: Resize) -> Pixels:
    """Do one action after the other."""
    for name, *rest in actions:
        if name == "window":
            image = window(image, *rest)
        elif name == "resample":
            image = image if image.shape[:2] == tuple(rest[:2]) else resize(image, *rest)
        elif name == "colour":
            image = colour(image, *rest)
        elif name == "erase":
            image = erase(image, *rest[:4], rest[5][0])
        else:
            image = image[::-1] if name == "flip_y" else image[:, ::-1]
    return image


def erase(image: Pixels, y: int, x: int, h: int, w: int, value: float) -> Pixels:
    image = image.copy()
    image[y : y + h, x : x + w] = value
    return image


def do_stage(image: Pixels, stage: np.void) -> Pixels:
    """Geometry, padding, colours, flips: what the C core does with a stage."""
    g, fill = stage["geometry"], int(stage["fill"][0])
    assert image.shape[:2] == (g["src_h"], g["src_w"])
    if stage["padding"] == PADDINGS["constant"]:
        image = core_geometry(image, g, int(stage["filter"]), fill)
    else:
        assert (g["size_h"], g["size_w"]) == (g["crop_h"], g["crop_w"])
        y, x, h, w = (int(g[key]) for key in ("crop_y", "crop_x", "crop_h", "crop_w"))
        place = (int(g[key]) for key in ("win_y", "win_x", "out_h", "out_w"))
        image = window(image[y : y + h, x : x + w], *place, int(stage["padding"]), fill)
    for one in stage["colour"][: stage["colours"]]:
        image = colour(image, int(one["kind"]), float(one["amount"]))
    return image[:: -1 if stage["flip_y"] else 1, :: -1 if stage["flip_x"] else 1]


def do_stages(image: Pixels, drawn: np.void) -> Pixels:
    """Do what was drawn."""
    for stage in drawn["stage"][: drawn["stages"]]:
        image = do_stage(image, stage)
    for one in drawn["erase"][: drawn["erased"]]:
        rect = (int(one[key]) for key in "yxhw")
        image = erase(image, *rect, float(one["value"][0]))
    return image
