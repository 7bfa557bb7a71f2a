"""What is drawn: of samples to which something was done before, and where points go."""

import numpy as np
import pytest
from drawing_reference import step
from recipe_choice import choose
from recipe_images import core_resize, do_stages, picture
from recipe_runs import draw_or_none, runs

from fastcache.errors import ArgumentError
from fastcache.transforms import FILTERS, GEOMETRY, CenterCrop, LetterBox, Resize, compile_store
from fastcache.transforms.drawn import draw_steps, drawn_maps
from fastcache.transforms.steps import DRAWN, STAGE

FLIP = step("flip_x", (), [1])


def stage_of(plan):
    record = np.zeros(len(plan.geometry), STAGE)
    record["geometry"], record["filter"], record["fill"] = plan.geometry, plan.filter, plan.fill
    return record


@pytest.mark.parametrize(
    "store",
    [
        [],
        [Resize(30)],
        [Resize((30, 28), "nearest"), CenterCrop(26)],
        [CenterCrop((22, 60))],
        [LetterBox(48)],
    ],
    ids=str,
)
def test_what_was_done_before_is_the_first_stage(store):
    """Samples kept encoded end as those that are kept decoded."""
    rng = np.random.default_rng(8)
    seen = set()
    for k in range(300):
        h, w = (int(n) for n in rng.integers(30, 60, 2))
        plan = compile_store(store, [h], [w])
        kept_h, kept_w = int(plan.out_h[0]), int(plan.out_w[0])
        steps, key = choose(rng, ("nearest",)), {"seed": k, "sample": 1}
        try:
            kept = draw_steps(steps, kept_h, kept_w, **key)[0]
            whole = draw_steps(steps, h, w, before=stage_of(plan), **key)[0]
        except ArgumentError:
            continue
        image = picture(h, w, k)
        decoded = do_stages(image, draw_steps(steps[:0], h, w, before=stage_of(plan))[0])
        assert decoded.shape[:2] == (kept_h, kept_w)
        want = do_stages(decoded, kept).astype(int)
        off = np.abs(do_stages(image, whole) - want)
        assert off.max() == 0
        seen.add(int(whole["stages"]))
    assert 1 in seen and len(seen) > 2


def test_a_window_that_was_done_before_cuts_what_follows():
    """A later resample does not see what a window without a resample has cut off."""
    before = np.zeros(1, STAGE)
    before["geometry"] = (40, 44, 0, 0, 40, 44, 40, 44, 7, 9, 20, 22)
    before["flip_x"] = 3  # any number that is not 0
    for resize in (step("resize", (26, 30)), step("resize", (11, 12), filter="bicubic")):
        got = draw_steps(resize, 40, 44, before=before)[0]
        assert (got["stages"], got["stage"]["flip_x"][0]) == (1, 1)
        image = picture(40, 44, 1)
        cut = image[7:27, 9:31][:, ::-1]
        want = core_resize(
            cut, *(int(n) for n in resize["number"][0, :2]), int(resize["filter"][0])
        )
        assert np.abs(do_stages(image, got).astype(int) - want).max() <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"filter": 6},
        {"padding": 4},
        {"padding": 1},
        {"colours": 9},
        {"colours": -1},
        {"geometry": (40, 44, 0, 0, 41, 44, 9, 9, 0, 0, 9, 9)},
        {"geometry": (40, 43, 0, 0, 40, 43, 9, 9, 0, 0, 9, 9)},
        {"geometry": (40, 44, 0, 0, 40, 44, 9, 9, 2**31 - 1, 0, 9, 9)},
    ],
    ids=str,
)
def test_a_contradiction_in_what_was_done_before_is_refused(change):
    before = stage_of(compile_store([Resize(30)], [40], [44]))
    for key, value in change.items():
        before[key] = value
    with pytest.raises(ArgumentError, match="before the first step"):
        draw_steps(FLIP, 40, 44, before=before)
    before["colours"] = 1
    before["colour"]["kind"] = 5
    with pytest.raises(ArgumentError, match="before the first step"):
        draw_steps(FLIP, 40, 44, before=before)


def test_maps_lead_from_the_sample_to_the_final_image():
    """A point, and what is seen of the image, followed through every action, end as it says."""
    steps_of = lambda rng: choose(rng, ("bicubic",))  # noqa: E731
    followed = 0
    for image, actions, got in runs(steps_of, 2000, 5):
        if image is None:
            continue
        h, w = image.shape[:2]
        y, x = 0.3 * h, 0.6 * w
        size, seen = [h, w], np.array([[0.0, h], [0.0, w]])
        for name, *rest in actions:
            if name == "window":
                y, x, size = y - rest[0], x - rest[1], list(rest[2:4])
                seen = np.clip(seen - [[rest[0]], [rest[1]]], 0, [[size[0]], [size[1]]])
            elif name == "resample":
                y, x = y * rest[0] / size[0], x * rest[1] / size[1]
                seen = seen * [[rest[0] / size[0]], [rest[1] / size[1]]]
                size = list(rest[:2])
            elif name == "flip_y":
                y, seen[0] = size[0] - y, size[0] - seen[0, ::-1]
            elif name == "flip_x":
                x, seen[1] = size[1] - x, size[1] - seen[1, ::-1]
        (found,) = drawn_maps(np.array([got], DRAWN))
        assert [found["h"], found["w"]] == size
        assert found["scale_y"] * 0.3 * h + found["shift_y"] == pytest.approx(y, abs=1e-6)
        assert found["scale_x"] * 0.6 * w + found["shift_x"] == pytest.approx(x, abs=1e-6)
        for axis, (low, high) in zip("yx", seen, strict=True):
            if low < high:  # of what is not seen, it does not matter where
                assert found[f"seen_{axis}"] == pytest.approx([low, high], abs=1e-6)
            else:
                assert found[f"seen_{axis}"][0] == found[f"seen_{axis}"][1]
        followed += 1
    assert followed > 1000


def test_geometries_keep_cs_rules():
    """Whatever is drawn may be handed to the resampler, which would refuse contradictions."""
    rng = np.random.default_rng(6)
    assert GEOMETRY.itemsize == 48
    for k in range(2000):
        got = draw_or_none(choose(rng, tuple(FILTERS)), (k, 0, 0, 0), 33, 21)
        if got is None:
            continue
        g = got["stage"]["geometry"][: got["stages"]]
        for start, length, key in (("crop_y", "crop_h", "src_h"), ("crop_x", "crop_w", "src_w")):
            assert (g[start] >= 0).all() and (g[start] + g[length] <= g[key]).all()
        assert all((g[key] >= 1).all() for key in ("size_h", "size_w", "out_h", "out_w"))
        rest = got["stage"][got["stages"] :]
        assert not rest.tobytes().strip(b"\0")
