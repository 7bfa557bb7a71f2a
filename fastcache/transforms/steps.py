"""Recipes as the C core takes them: steps, and what is drawn of them for one sample.

The dtypes are the structs of csrc/fastcache_recipe.h, field by field.
"""

from collections.abc import Sequence

import numpy as np

from fastcache.transforms.geometry import GEOMETRY
from fastcache.transforms.operation import FILTERS, Steps

MOST_STAGES, MOST_COLOURS, MOST_ERASED = 4, 8, 4

# Name to number of fc_step_kind.
KINDS = {
    name: number
    for number, name in enumerate(
        (
            *("resize", "resize_short", "center_crop", "random_crop", "random_resized_crop"),
            *("letter_box", "flip_x", "flip_y", "colour_jitter", "greyscale", "erase"),
        )
    )
}
PADDINGS = {"constant": 0, "edge": 1, "reflect": 2, "symmetric": 3}
ERASE_WITH = {"value": 0, "normal": 1}
COLOURS = {"brightness": 0, "contrast": 1, "saturation": 2, "hue": 3, "grey": 4}

# Name to number of fc_scaling, and of the fc_elements that batches may have.
SCALINGS = {"plain": 0, "unit": 1, "normalised": 2, "normalised_plain": 3}
ELEMENTS = {"float32": 1, "float16": 2, "bfloat16": 3, "uint8": 4, "uint16": 5}

STEP = np.dtype(
    [
        ("kind", np.int32),
        ("filter", np.int32),
        ("number", np.int32, 8),
        ("real", np.float64, 8),
        ("value", np.float32, 4),
        ("fill", np.uint8, 4),
    ],
    align=True,
)
COLOUR = np.dtype([("kind", np.int32), ("amount", np.float32)], align=True)
STAGE = np.dtype(
    [
        ("geometry", GEOMETRY),
        ("filter", np.int32),
        ("padding", np.int32),
        ("fill", np.uint8, 4),
        ("scale", np.int32),
        ("flip_y", np.int32),
        ("flip_x", np.int32),
        ("colours", np.int32),
        ("colour", COLOUR, MOST_COLOURS),
    ],
    align=True,
)
ERASED = np.dtype(
    [
        *((name, np.int32) for name in ("y", "x", "h", "w", "with")),
        ("value", np.float32, 4),
        ("step", np.uint32),
    ],
    align=True,
)
DRAWN = np.dtype(
    [
        ("stages", np.int32),
        ("erased", np.int32),
        ("stage", STAGE, MOST_STAGES),
        ("erase", ERASED, MOST_ERASED),
    ],
    align=True,
)
MAP = np.dtype(
    [
        *((name, np.float64) for name in ("scale_y", "shift_y", "scale_x", "shift_x")),
        *((name, np.float64, 2) for name in ("seen_y", "seen_x")),
        *((name, np.int32) for name in ("h", "w")),
    ],
    align=True,
)
EMIT = np.dtype(
    [
        *((name, np.int32) for name in ("element", "planar", "channels", "scaling")),
        ("mean", np.float32, 4),
        ("std", np.float32, 4),
        ("streaming", np.int32),
    ],
    align=True,
)

NO_STEPS: Steps = np.zeros(0, STEP)
NO_STEPS.setflags(write=False)


def one_step(
    kind: str,
    number: Sequence[int] = (),
    real: Sequence[float] = (),
    *,
    interpolation: str = "bilinear",
    value: Sequence[float] = (),
    fill: int | Sequence[int] = 0,
) -> Steps:
    """Return an array of one step; what is not given is 0.

    Parameters
    ----------
    kind : str
        A name of :data:`KINDS`.
    number, real, value : sequence
        As fc_step_kind has them; the rest of each is 0.
    interpolation : str
        A name of :data:`~fastcache.transforms.FILTERS`.
    fill : int or sequence of int
        Of padding, 0..255: of all channels, or of each.
    """
    made = np.zeros(1, STEP)
    step = made[0]
    step["kind"], step["filter"] = KINDS[kind], FILTERS[interpolation]
    for field, values in (("number", number), ("real", real), ("value", value)):
        step[field][: len(values)] = values
    levels = [fill] * 4 if isinstance(fill, int) else fill
    step["fill"][: len(levels)] = levels
    return made
