"""Recipes drawn in C, beside what the reference says that they do."""

import drawing_reference as reference
import numpy as np
from recipe_images import picture

from fastcache.errors import ArgumentError
from fastcache.transforms.drawn import draw_steps


def draw_or_none(steps, key, h, w):
    seed, epoch, sample, occurrence = key
    try:
        return draw_steps(
            steps, h, w, seed=seed, epoch=epoch, sample=sample, occurrence=occurrence
        )[0]
    except ArgumentError:
        return None


def runs(steps_of, count, seed):
    """Yield image, actions and what was drawn of recipes; count those that are refused."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        h, w = (int(n) for n in rng.integers(1, 45, 2))
        steps, key = steps_of(rng), (k, 0, 1, 2)
        got = draw_or_none(steps, key, h, w)
        if got is None:
            yield None, None, steps
            continue
        actions, out_h, out_w = reference.actions(steps, key, h, w)
        last = got["stage"][got["stages"] - 1]["geometry"]
        assert (last["out_h"], last["out_w"]) == (out_h, out_w)
        yield picture(h, w, k), actions, got
