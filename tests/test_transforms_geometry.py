"""Compiled chains: what the C core is told gives the pixels that the operations give one by one."""

import images
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from operations import CHAINS, EXAMPLES, SIDES
from PIL import Image

from fastcache import transforms as T
from fastcache.errors import ArgumentError
from fastcache.transforms.operation import PIL_FILTERS


def execute(plan, k, image):
    """Do what the C core is told, slowly: crop, resample, window."""
    g = plan.geometry[k]
    assert (g["src_h"], g["src_w"]) == (image.height, image.width)
    assert g["crop_y"] >= 0
    assert g["crop_x"] >= 0
    assert g["crop_y"] + g["crop_h"] <= g["src_h"]
    assert g["crop_x"] + g["crop_w"] <= g["src_w"]
    assert min(g[n] for n in ("crop_h", "crop_w", "size_h", "size_w", "out_h", "out_w")) >= 1
    y, x = int(g["crop_y"]), int(g["crop_x"])
    cut = image.crop((x, y, x + int(g["crop_w"]), y + int(g["crop_h"])))
    name = {number: name for name, number in T.FILTERS.items()}[plan.filter]
    size = (int(g["size_w"]), int(g["size_h"]))
    if cut.size != size:
        cut = cut.resize(size, PIL_FILTERS[name])
    source = np.asarray(cut)
    rows = np.arange(g["out_h"]) + g["win_y"]
    columns = np.arange(g["out_w"]) + g["win_x"]
    inside = ((rows >= 0) & (rows < size[1]))[:, None] & ((columns >= 0) & (columns < size[0]))
    taken = source[rows.clip(0, size[1] - 1)][:, columns.clip(0, size[0] - 1)]
    return np.where(inside[:, :, None], taken, plan.fill)


@settings(max_examples=300, deadline=None)
@given(sizes=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=6), chain=CHAINS)
@example(sizes=[(1, 1), (2, 2)], chain=[T.CenterCrop(100), T.CenterCrop(1)])
@example(sizes=[(20, 40), (40, 40)], chain=[T.Resize(20, "box"), T.Resize(None, max_size=20)])
def test_compiled_chains_give_the_chains_pixels(sizes, chain):
    heights, widths = np.array(sizes).T
    plan = T.compile_store(chain, heights, widths)
    assert plan.geometry.dtype == T.GEOMETRY
    assert plan.geometry.dtype.itemsize == 48
    assert plan.in_c == (plan.why == "") == (not plan.needs_python.any())
    for k, (height, width) in enumerate(sizes):
        image = images.photo(height, width, seed=k)
        expected = np.asarray(T.apply_store(chain, image))
        assert (plan.out_h[k], plan.out_w[k]) == expected.shape[:2]
        assert (plan.geometry["out_h"][k], plan.geometry["out_w"][k]) == expected.shape[:2]
        if not plan.needs_python[k]:
            assert np.array_equal(execute(plan, k, image), expected)


@EXAMPLES
@given(height=SIDES, width=SIDES, chain=CHAINS)
def test_chains_on_masks_never_invent_an_index(height, width, chain):
    mask = Image.fromarray(
        np.random.default_rng(0).choice([3, 200], (height, width)).astype(np.uint8)
    )
    out = np.asarray(T.apply_store(T.store_for_masks(chain), mask))
    assert set(np.unique(out)) <= {0, 3, 200}
    plan = T.compile_store(T.store_for_masks(chain), [height], [width])
    assert (plan.out_h[0], plan.out_w[0]) == out.shape


USUAL = {
    "keep": [],
    "resize": [T.Resize(256)],
    "exact": [T.Resize((300, 200), "lanczos")],
    "evaluation": [T.Resize(256), T.CenterCrop(224)],
    "crop first": [T.CenterCrop(300), T.Resize((100, 100))],
    "letter box": [T.LetterBox(640)],
    "resize, letter box frame": [T.Resize((640, 640)), T.LetterBox(640)],
    "crop of a crop": [T.CenterCrop(300), T.CenterCrop(100), T.Resize(50), T.CenterCrop(40)],
}


@pytest.mark.parametrize("name", USUAL)
def test_usual_chains_run_in_c_whatever_the_sizes(name):
    rng = np.random.default_rng(1)
    low = 300 if "crop" in name else 1
    plan = T.compile_store(USUAL[name], *rng.integers(low, 3000, (2, 1000)))
    assert plan.in_c, plan.why
    assert plan.why == ""


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ([T.Resize(20), T.Resize(10)], "resampled twice"),
        ([T.CenterCrop(90), T.Resize(30)], "after padding"),
        ([T.Resize(60), T.CenterCrop(20), T.CenterCrop(40)], "after a cut"),
        ([T.CenterCrop((90, 20)), T.LetterBox((95, 90), scaleup=False)], "two values"),
    ],
)
def test_chains_beyond_the_core_are_named_with_their_reason(chain, reason):
    plan = T.compile_store(chain, [50], [70])
    assert plan.needs_python.tolist() == [True]
    assert not plan.in_c
    assert reason in plan.why


def test_only_the_images_that_need_it_take_the_python_step():
    plan = T.compile_store([T.CenterCrop(90), T.Resize(30)], [50, 100], [70, 100])
    assert plan.needs_python.tolist() == [True, False]
    assert plan.why.startswith("1 of 2 images")


def test_images_that_need_another_filter_than_most_take_the_python_step():
    chain = [T.Resize(20, "box"), T.Resize(None, "lanczos", max_size=20)]
    plan = T.compile_store(chain, [20, 40, 60], [40, 40, 60])
    assert plan.filter == T.FILTERS["box"]
    assert plan.needs_python.tolist() == [True, False, False]
    assert plan.why == "1 of 3 images would be in need of another filter than the others"


def test_an_image_that_is_cut_away_takes_the_python_step():
    plan = T.compile_store([T.CenterCrop(100), T.CenterCrop(1)], [1], [1])
    assert plan.needs_python.tolist() == [True]
    assert "padding alone" in plan.why


def test_a_resize_to_the_size_that_is_there_is_no_resample():
    plan = T.compile_store([T.Resize((50, 70)), T.Resize(25)], [50], [70])
    assert plan.in_c
    assert plan.geometry[0].tolist() == (50, 70, 0, 0, 50, 70, 25, 35, 0, 0, 25, 35)


def test_filter_and_fill_are_those_of_the_operations():
    plan = T.compile_store([T.LetterBox(640, fill=9, interpolation="hamming")], [50], [70])
    assert (plan.filter, plan.fill) == (T.FILTERS["hamming"], 9)
    plan = T.compile_store([], [50], [70])
    assert (plan.filter, plan.fill) == (T.FILTERS["bilinear"], 0)


def test_no_images_are_no_error():
    assert len(T.compile_store([T.Resize(8)], [], []).geometry) == 0


@pytest.mark.parametrize("sizes", [([0], [5]), ([5], [-1]), ([5, 6], [7]), ([5.0], [5.0])])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises(ArgumentError):
        T.compile_store([T.Resize(8)], *sizes)


def test_an_output_too_large_for_the_core_is_refused_by_index():
    with pytest.raises(ArgumentError, match="image 1"):
        T.compile_store([T.Resize(100_000)], [10, 1], [10, 60_000])
