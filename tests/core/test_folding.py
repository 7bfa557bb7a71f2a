"""Stages against the steps done one after the other, pixel by pixel."""

import drawing_reference as reference
import numpy as np
import pytest
from drawing_reference import step
from recipe_choice import GEOMETRY as KINDS_OF_GEOMETRY
from recipe_choice import choose
from recipe_images import core_resize, do_actions, do_stages, picture, pillow_resize
from recipe_runs import runs

from fastcache.errors import ArgumentError
from fastcache.transforms import FILTERS
from fastcache.transforms.drawn import draw_steps
from fastcache.transforms.steps import STEP

FLIP = step("flip_x", (), [1])
FLIP_Y = step("flip_y", (), [1])
CROP = step("random_crop", (20, 24))
INNER = step("random_crop", (10, 12))
PADDED = step("random_crop", (30, 34), fill=9)
PAD = step("random_crop", (50, 60, 9, 8, 7, 6, 0, 1), fill=9)
MIRROR = step("random_crop", (50, 60, 9, 8, 7, 6, 2, 1))
RESIZE = step("resize", (26, 30))
NEAREST = step("resize", (26, 30), filter="nearest")
BOX = step("resize", (26, 30), filter="box")
RRC = step("random_resized_crop", (16, 16), (0.2, 0.8, 0.75, 4 / 3))
GREY = step("greyscale", (), [1])
CONTRAST = step("colour_jitter", (), (1, 0, 0.5, 1.5, 1, 0, 1, 0))
LETTER = step("letter_box", (32, 32, 1), fill=114)
ERASE = step("erase", [0], (1, 0.05, 0.3, 0.3, 3.3), value=[200])


def recipe(*parts):
    return np.concatenate([np.zeros(0, STEP), *parts])


def test_recipes_without_blending_are_exact():
    """All kinds, in any order and number: stages are the actions one by one, to the bit."""
    steps_of = lambda rng: choose(rng, ("nearest",))  # noqa: E731
    done = refused = several = 0
    for image, actions, got in runs(steps_of, 3000, 1):
        if image is None:
            refused += 1
            continue
        want = do_actions(image, actions, core_resize)
        np.testing.assert_array_equal(do_stages(image, got), want, err_msg=str(actions))
        done += 1
        several += int(got["stages"] > 1)
    assert done > 1500 and several > 300 and refused > 100


def tolerance(actions):
    """One level for each resample; filters with negative lobes enlarge what came before."""
    return sum(a[0] == "resample" for a in actions) + 1


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_recipes_of_geometry_are_pillows(name):
    """Steps one by one in Pillow, within a level for each resample."""
    values = above = 0
    steps_of = lambda rng: choose(rng, (name,), KINDS_OF_GEOMETRY)  # noqa: E731
    for image, actions, got in runs(steps_of, 500, 2):
        if image is None:
            continue
        want = do_actions(image, actions, pillow_resize)
        off = np.abs(do_stages(image, got).astype(int) - want)
        most = tolerance(actions)
        assert off.max() <= most, (actions, off.max())
        values += off.size
        above += int((off > 1).sum())
    assert values > 200_000
    assert above <= values / 1000


@pytest.mark.parametrize(
    ("steps", "stages"),
    [
        ([RRC, FLIP, GREY, CONTRAST], 1),
        ([FLIP, RRC, FLIP_Y, CONTRAST], 1),
        ([FLIP, CROP, FLIP_Y, RRC], 1),
        ([RESIZE, CROP, FLIP, INNER], 1),
        ([CROP, RESIZE, INNER], 1),
        ([LETTER, FLIP, INNER], 1),
        ([PAD, FLIP, PAD], 1),
        ([MIRROR, FLIP, INNER], 1),
        ([PAD, GREY, FLIP, CROP], 1),
        ([GREY, CROP], 1),
        ([CONTRAST, FLIP, FLIP_Y, GREY], 1),
        ([CONTRAST, CROP], 2),
        ([GREY, PAD], 2),
        ([GREY, RESIZE], 2),
        ([RESIZE, RRC], 2),
        ([PAD, RESIZE], 2),
        ([MIRROR, RESIZE], 2),
        ([RESIZE, MIRROR], 2),
        ([MIRROR, PAD], 2),
        ([RESIZE, CROP, PAD], 2),
        ([FLIP, NEAREST], 2),
        ([FLIP, BOX], 2),
        ([NEAREST, FLIP], 1),
        ([RESIZE, RRC, CONTRAST, RRC, step("resize", (7, 8))], 4),
        ([RESIZE] * 3, 1),
        ([ERASE, FLIP, CROP, ERASE], 1),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_steps_share_stages_where_they_can(steps, stages):
    for sample in range(20):
        got = draw_steps(recipe(*steps), 40, 44, sample=sample)[0]
        assert got["stages"] == stages
        key = (0, 0, sample, 0)
        actions, _, _ = reference.actions(recipe(*steps), key, 40, 44)
        image = picture(40, 44, sample)
        want = do_actions(image, actions, core_resize).astype(int)
        coloured = any(action[0] == "colour" for action in actions)
        if not coloured or not any(action[0] == "resample" for action in actions):
            assert np.abs(do_stages(image, got) - want).max() <= 2 * stages


def test_a_crop_behind_padding_leaves_no_trace():
    """Padding that was cut off again is forgotten: what follows shares the stage."""
    steps = recipe(step("center_crop", (50, 50)), step("center_crop", (20, 20)), RESIZE)
    got = draw_steps(steps, 40, 44)[0]
    assert got["stages"] == 1
    g = got["stage"][0]["geometry"]
    assert [g[k] for k in ("crop_y", "crop_x", "crop_h", "crop_w")] == [10, 12, 20, 20]


def test_earlier_stages_make_only_what_later_ones_read():
    got = draw_steps(recipe(RESIZE, FLIP, FLIP_Y, RRC, step("resize", (5, 6))), 80, 88)[0]
    assert got["stages"] == 3
    first, second, third = got["stage"][:3]["geometry"]
    assert (first["out_h"], first["out_w"]) == (second["crop_h"], second["crop_w"])
    assert (first["out_h"], first["out_w"]) < (26, 30)
    assert (second["src_h"], second["src_w"]) == (first["out_h"], first["out_w"])
    assert (third["src_h"], third["src_w"]) == (16, 16)
    # Contrast looks at all pixels, so all are made.
    whole = draw_steps(recipe(RESIZE, CONTRAST, RRC), 80, 88)[0]["stage"][0]["geometry"]
    assert (whole["out_h"], whole["out_w"]) == (26, 30)


def test_what_does_not_fit_is_refused():
    sizes = [step("resize", (n, n)) for n in (9, 8, 7, 6)]
    assert draw_steps(recipe(*sizes), 40, 44)[0]["stages"] == 4
    with pytest.raises(ArgumentError, match="step 4 .resize. .* 40 x 44 pixels .* 4 stages"):
        draw_steps(recipe(*sizes, RESIZE), 40, 44)
    with pytest.raises(ArgumentError, match="step 4 .erase. .* at most 4"):
        draw_steps(recipe(*[ERASE] * 5), 40, 44)
    for late in (RESIZE, GREY, CONTRAST, MIRROR):
        with pytest.raises(ArgumentError, match="step 1 .* may follow an erasure"):
            draw_steps(recipe(ERASE, late), 40, 44)
    with pytest.raises(ArgumentError, match="sample 1: step 0 .random_crop. .* pad_if_needed"):
        draw_steps(CROP, [40, 19], [44, 44])
    huge = step("resize_short", (2**31 - 1, 0))
    assert draw_steps(huge, 5, 5)[0]["stages"] == 1
    for bad in (huge, step("random_crop", (5, 5, 2**31 - 1, 0, 2**31 - 1, 0))):
        with pytest.raises(ArgumentError, match="step 0"):
            draw_steps(bad, 5, 6)


def test_more_colours_than_a_stage_holds_begin_another():
    got = draw_steps(recipe(*[GREY] * 20), 8, 9)[0]
    assert got["stage"]["colours"].tolist() == [8, 8, 4, 0]
    assert got["stages"] == 3


def test_erasures_follow_flips_and_crops():
    """What is cut off altogether is not erased any more."""
    gone = 0
    for sample in range(200):
        steps, key = recipe(ERASE, FLIP, INNER, PAD, FLIP_Y), (0, 0, sample, 0)
        got = draw_steps(steps, 40, 44, sample=sample)[0]
        image = picture(40, 44, sample)
        actions, _, _ = reference.actions(steps, key, 40, 44)
        np.testing.assert_array_equal(
            do_stages(image, got), do_actions(image, actions, core_resize)
        )
        gone += int(got["erased"] == 0)
    assert gone > 10
