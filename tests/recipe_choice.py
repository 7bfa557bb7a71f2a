"""Recipes chosen at random: the same ones in every run."""

import numpy as np
import numpy.typing as npt
from drawing_reference import step

from fastcache.transforms.steps import KINDS, PADDINGS, STEP

GEOMETRY = (
    *("resize", "resize_short", "center_crop", "random_crop", "random_resized_crop"),
    *("letter_box", "flip_x", "flip_y"),
)


def choose_step(rng: np.random.Generator, kind: str, filter_: str) -> npt.NDArray[np.void]:
    """Return a step that keeps the rules of its kind, with small sizes."""
    side = [int(n) for n in rng.integers(1, 40, 2)]
    fill = int(rng.integers(0, 2)) * 77
    chance = float(rng.choice([0, 0.5, 0.5, 1]))
    ratio = [float(r) for r in np.sort(rng.choice([0.3, 0.75, 1, 4 / 3, 3.3], 2))]
    if kind == "resize_short":
        size, most = (int(n) for n in rng.integers(0, 30, 2))
        number = (size, size + 1 + most) if rng.random() < 0.7 else (size + 1, 0)
        return step(kind, number, filter=filter_)
    if kind == "random_crop":
        pad = rng.integers(0, 6, 4) * (rng.random() < 0.6)
        mode = int(rng.integers(0, len(PADDINGS)))
        return step(kind, (*side, *pad, mode, rng.random() < 0.5), fill=fill)
    if kind == "random_resized_crop":
        low, high = np.sort(rng.uniform(0, 1.3, 2))
        return step(kind, side, (float(low), float(high), *ratio), filter=filter_)
    if kind == "letter_box":
        return step(kind, (*side, rng.random() < 0.7), filter=filter_, fill=fill)
    if kind == "colour_jitter":
        real: list[float] = []
        for low, high in ((0, 2), (0, 2), (0, 2), (-0.5, 0.5)):
            values = np.sort(rng.uniform(low, high, 2)).tolist()
            real += values if rng.random() < 0.6 else [1, 0]
        return step(kind, (), real)
    if kind == "erase":
        scale = np.sort(rng.uniform(0, 0.8, 2)).tolist()
        value = [int(n) for n in rng.integers(0, 256, 4)]
        return step(kind, [int(rng.integers(0, 2))], (chance, *scale, *ratio), value=value)
    if kind in ("flip_x", "flip_y", "greyscale"):
        return step(kind, (), [chance])
    return step(kind, side, filter=filter_, fill=fill)


def choose(
    rng: np.random.Generator, filters: tuple[str, ...], kinds: tuple[str, ...] = tuple(KINDS)
) -> npt.NDArray[np.void]:
    """Return the steps of a recipe of up to six."""
    count = int(rng.integers(0, 7))
    parts = [
        choose_step(rng, str(rng.choice(kinds)), str(rng.choice(filters))) for _ in range(count)
    ]
    return np.concatenate([np.zeros(0, STEP), *parts])
