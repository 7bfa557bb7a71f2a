"""The read job: samples drawn and made, against Pillow, and the same whatever the threads."""

import io
from concurrent.futures import ThreadPoolExecutor

import images
import numpy as np
import pytest
from drawing_reference import step
from making import Batch, Request, emit_of, raw
from PIL import Image

from fastcache._core import image as core
from fastcache._core import recipe
from fastcache._core.paths import Paths
from fastcache.errors import ArgumentError
from fastcache.transforms.drawn import draw_steps
from fastcache.transforms.steps import STAGE

N, SIDE = 24, 32
SPEC, GREY = core.Spec(), core.Spec(channels=1, filter=0)


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(4)
    sizes = [(int(h), int(w)) for h, w in rng.integers(40, 120, (N, 2))]
    return [np.asarray(images.photo(h, w)) for h, w in sizes]


def recipe_steps():
    return np.concatenate(
        [
            step("random_resized_crop", (SIDE, SIDE), (0.2, 1.0, 0.75, 4 / 3)),
            step("flip_x", (), (0.5,)),
        ]
    )


def run(batch, threads=1):
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(batch.job.run) for _ in range(threads)]:
            done.result()
    return batch


def made(photos, steps, threads=1, **more):
    request = Request(photos, (SIDE, SIDE, 3), np.uint8)
    batch = run(Batch([request.plane(SPEC, emit_of(), **more)], steps, len(photos)), threads)
    return request.out, batch


def drawn_of(request, steps):
    n = len(request.images)
    keys = {"seed": 5, "epoch": 2, "sample": np.arange(n), "occurrence": 0}
    return draw_steps(steps, request.height, request.width, **keys)


def test_crops_are_pillows(photos):
    """F8: what was drawn, cropped, resized and mirrored by Pillow: within two levels."""
    out, batch = made(photos, recipe_steps())
    assert (batch.status == core.OK).all()
    drawn = drawn_of(Request(photos, (SIDE, SIDE, 3), np.uint8), recipe_steps())
    flips = set()
    for photo, got, one in zip(photos, out, drawn, strict=True):
        stage = one["stage"][0]
        g = stage["geometry"]
        top, left = int(g["crop_y"]), int(g["crop_x"])
        box = (left, top, left + int(g["crop_w"]), top + int(g["crop_h"]))
        want = Image.fromarray(photo).crop(box).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        want = np.asarray(want)[:, ::-1] if stage["flip_x"] else np.asarray(want)
        flips.add(int(stage["flip_x"]))
        assert np.abs(got.astype(int) - want).max() <= 2
    assert flips == {0, 1}


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_do_not_matter(photos, threads):
    steps = np.concatenate(
        [
            recipe_steps(),
            step("colour_jitter", (), (0.6, 1.4, 0.6, 1.4, 0.6, 1.4, -0.1, 0.1)),
            step("erase", (1,), (0.5, 0.02, 0.33, 0.3, 3.3)),
        ]
    )
    one, alone = made(photos, steps)
    many, together = made(photos, steps, threads)
    np.testing.assert_array_equal(one, many)
    np.testing.assert_array_equal(alone.maps, together.maps)
    assert together.job.progress() == (N, 0, one.nbytes)


def encoded(photos):
    return [images.encode(Image.fromarray(photo)) for photo in photos]


def test_files_are_made_as_their_pixels_are(photos, tmp_path):
    """F4: the same crop of a JPEG and of what Pillow makes of it; from memory and from a path."""
    files = encoded(photos)
    pixels = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]
    want, _ = made(pixels, recipe_steps())
    names = []
    for i, file in enumerate(files):
        (tmp_path / f"{i}.jpg").write_bytes(file)
        names.append(str(tmp_path / f"{i}.jpg"))
    data = np.frombuffer(b"".join(files), np.uint8)
    size = np.array([len(file) for file in files], np.int64)
    start = np.cumsum(size) - size
    size[1::2] = -1
    more = {
        "offset": raw(np.full(N, -1, np.int64)),
        "data": data,
        "data_offset": raw(start),
        "data_size": raw(size),
        "paths": Paths(names, np.empty(N, np.int64)),
    }
    got, batch = made(photos, recipe_steps(), 2, **more)
    assert (batch.status == core.OK).all()
    np.testing.assert_array_equal(got, want)


def test_what_store_does_to_files_comes_first(photos):
    files = encoded(photos)
    before = np.zeros(N, STAGE)
    before["filter"] = 2
    geometry = before["geometry"]
    for i, photo in enumerate(photos):
        for key, length in zip("hw", photo.shape, strict=False):
            geometry[f"src_{key}"][i] = geometry[f"crop_{key}"][i] = length
            geometry[f"size_{key}"][i] = geometry[f"out_{key}"][i] = 40
    stored = []
    for i, file in enumerate(files):
        out = np.empty((40, 40, 3), np.uint8)
        status, _ = core.Decoder().decode(file, SPEC, raw(geometry[i : i + 1].copy()), raw(out))
        assert status == core.OK
        stored.append(out)
    want, _ = made(stored, recipe_steps())
    data = np.frombuffer(b"".join(files), np.uint8)
    size = np.array([len(file) for file in files], np.int64)
    more = {"offset": raw(np.full(N, -1, np.int64)), "data": data, "data_size": raw(size)}
    more |= {"data_offset": raw(np.cumsum(size) - size), "before": raw(before)}
    got, batch = made(photos, recipe_steps(), **more)
    assert (batch.status == core.OK).all()
    np.testing.assert_array_equal(got, want)


def test_masks_follow_their_images(photos):
    """The same crop, by the nearest pixel; labels are never mixed, tinted or erased."""
    masks = [np.where(photo[..., :1] > 120, 200, 3).astype(np.uint8) for photo in photos]
    steps = np.concatenate(
        [
            recipe_steps(),
            step("colour_jitter", (), (0.1, 0.2, 1, 0, 1, 0, 1, 0)),
            step("erase", (0,), (1.0, 0.5, 0.5, 1.0, 1.0)),
        ]
    )
    image = Request(photos, (SIDE, SIDE, 3), np.uint8)
    mask = Request(masks, (SIDE, SIDE), np.uint8)
    columns = [image.plane(SPEC, emit_of()), mask.plane(GREY, emit_of(channels=1), is_mask=True)]
    batch = run(Batch(columns, steps, N))
    assert (batch.status == core.OK).all()
    for label, got, one in zip(masks, mask.out, drawn_of(mask, steps), strict=True):
        g = one["stage"][0]["geometry"]
        top, left = int(g["crop_y"]), int(g["crop_x"])
        box = (left, top, left + int(g["crop_w"]), top + int(g["crop_h"]))
        want = (
            Image.fromarray(label[..., 0]).crop(box).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        )
        want = np.asarray(want)[:, ::-1] if one["stage"][0]["flip_x"] else np.asarray(want)
        np.testing.assert_array_equal(got, want)


def test_a_sample_that_fails_leaves_the_others_alone(photos):
    files = encoded(photos)
    files[5] = files[5][:60]
    data = np.frombuffer(b"".join(files), np.uint8)
    size = np.array([len(file) for file in files], np.int64)
    more = {"offset": raw(np.full(N, -1, np.int64)), "data": data, "data_size": raw(size)}
    more |= {"data_offset": raw(np.cumsum(size) - size)}
    got, batch = made(photos, recipe_steps(), 3, **more)
    assert batch.status[5] not in (core.OK, core.PENDING, core.NEEDS_PYTHON)
    assert core.describe(int(batch.status[5]), int(batch.detail[5]))
    assert (np.delete(batch.status, 5) == core.OK).all()
    assert all(np.delete(got, 5, 0).reshape(N - 1, -1).any(1))


def test_a_step_that_cannot_be_done_is_named(photos):
    steps = np.concatenate([recipe_steps(), step("random_crop", (SIDE + 1, SIDE))])
    _, batch = made(photos, steps)
    assert (batch.status != core.OK).all()
    assert (batch.detail == 2).all()


def test_columns_of_different_sizes_are_refused(photos):
    other = [photo[:-1] for photo in photos]
    first, second = (Request(of, (SIDE, SIDE, 3), np.uint8) for of in (photos, other))
    columns = [first.plane(SPEC, emit_of()), second.plane(SPEC, emit_of())]
    batch = run(Batch(columns, recipe_steps(), N))
    assert (batch.status != core.OK).all()
    assert not second.out.any()


def test_an_output_that_does_not_fit_is_not_written(photos):
    request = Request(photos, (SIDE + 1, SIDE, 3), np.uint8)
    batch = run(Batch([request.plane(SPEC, emit_of())], recipe_steps(), N))
    assert (batch.status != core.OK).all()
    assert not request.out.any()


def test_cancelled_samples_stay_pending(photos):
    request = Request(photos, (SIDE, SIDE, 3), np.uint8)
    batch = Batch([request.plane(SPEC, emit_of())], recipe_steps(), N)
    batch.job.cancel()
    run(batch, 2)
    assert (batch.status == core.PENDING).all()
    assert batch.job.progress() == (0, 0, 0)


def moved(name, by):
    return lambda r: {name: raw(getattr(r, name) + np.array([0] * (N - 1) + [by], np.int64))}


BAD_PLANES = {
    "pixels behind the source": (moved("offset", 1), "outside a buffer"),
    "pixels before the source": (lambda r: {"offset": raw(r.offset - 2)}, "offset of item 0 is -2"),
    "output behind the end": (moved("out_offset", 1), "outside a buffer"),
    "output before the start": (moved("out_offset", -(10**9)), "outside a buffer"),
    "output too large": (moved("out_size", 1), "outside a buffer"),
    "output of less than nothing": (moved("out_size", -(10**6)), "outside a buffer"),
    "too few offsets": (lambda r: {"offset": raw(r.offset[1:])}, "24 items|23 items"),
    "half an offset": (lambda r: {"offset": raw(r.offset)[:-3]}, "offset: .* items of 8"),
    "no offsets": (lambda r: {"offset": None}, "offset: nothing"),
    "too few heights": (lambda r: {"height": raw(r.height[1:])}, "height"),
    "no height": (lambda r: {"height": raw(r.height * 0)}, "0 x "),
    "negative width": (lambda r: {"width": raw(-r.width)}, "x -"),
    "huge": (lambda r: {"height": raw(np.full(N, 2**31 - 1, np.int32))}, "outside a buffer"),
    "a file without data": (lambda r: {"offset": raw(r.offset * 0 - 1)}, "neither data nor a path"),
    "another number of channels": (
        lambda r: {"emit": raw(emit_of(channels=4))},
        "4 channels of pixels that have 3",
    ),
    "16 bits": (lambda r: {"spec": GREY, "emit": raw(emit_of("uint16", 1))}, "uint16 is for"),
    "labels": (
        lambda r: {"emit": raw(emit_of("float32", scaling="unit")), "is_mask": True},
        "cannot be scaled",
    ),
    "data without places": (lambda r: {"data": r.source}, "data_offset"),
    "half a stage": (lambda r: {"before": np.zeros(5, np.uint8)}, "before"),
    "a path too few": (lambda r: {"paths": Paths(["a"], np.empty(1, np.int64))}, "1 paths"),
}


@pytest.mark.parametrize("name", BAD_PLANES)
def test_bad_columns_are_refused(photos, name):
    change, says = BAD_PLANES[name]
    request = Request(photos, (SIDE, SIDE, 3), np.uint8)
    with pytest.raises(ArgumentError, match=says):
        request.plane(**({"spec": SPEC, "emit": emit_of()} | change(request)))


def test_scratch_is_told(photos):
    steps, emit = recipe_steps(), raw(emit_of())
    small = recipe.scratch_bytes(raw(steps), 100, 100, SPEC, emit)
    tinted = np.concatenate([steps, step("greyscale", (), (0.5,))])
    large = recipe.scratch_bytes(raw(tinted), 100, 100, SPEC, emit)
    assert 0 < small < 2**20
    assert large >= small + SIDE * SIDE * 3  # colours are changed in memory of their own
    before = np.zeros(1, STAGE)
    before["geometry"] = (5000, 100, 0, 0, 5000, 100, 50, 50, 0, 0, 50, 50)
    assert recipe.scratch_bytes(raw(steps), 5000, 100, SPEC, emit, raw(before)) > small
    too_large = step("random_crop", (200, 200))
    with pytest.raises(ArgumentError, match="100 x 100 pixels: step 0"):
        recipe.scratch_bytes(raw(too_large), 100, 100, SPEC, emit)
    with pytest.raises(ArgumentError, match="contradicts"):
        recipe.scratch_bytes(raw(steps), 50, 100, SPEC, emit, raw(before))
    with pytest.raises(ArgumentError, match="steps"):
        recipe.scratch_bytes(raw(steps)[:-1], 100, 100, SPEC, emit)
    with pytest.raises(ArgumentError, match="before"):
        recipe.scratch_bytes(raw(steps), 100, 100, SPEC, emit, raw(before)[:-1])


BAD_JOBS = {
    "half a step": ({"steps": np.zeros(9, np.uint8)}, "steps"),
    "too few samples": ({"sample": np.zeros(8, np.uint8)}, "sample"),
    "too few epochs": ({"epoch": np.zeros(8, np.uint8)}, "epoch"),
    "too few occurrences": ({"occurrence": np.zeros(8, np.uint8)}, "occurrence"),
    "too few statuses": ({"status": np.zeros(8, np.uint8)}, "status"),
    "too many details": ({"detail": np.zeros(4 * N + 4, np.uint8)}, "detail"),
    "too few maps": ({"maps": np.zeros(8, np.uint8)}, "maps"),
}


@pytest.mark.parametrize("name", BAD_JOBS)
def test_bad_jobs_are_refused(photos, name):
    change, says = BAD_JOBS[name]
    request = Request(photos, (SIDE, SIDE, 3), np.uint8)
    column, steps = request.plane(SPEC, emit_of()), recipe_steps()
    if "steps" in change:
        with pytest.raises(ArgumentError, match=says):
            Batch([column], change["steps"], N)
    else:
        with pytest.raises(ArgumentError, match=says):
            Batch([column], steps, N, **change)


def test_jobs_of_no_columns_too_many_or_bad_steps_are_refused(photos):
    request = Request(photos, (SIDE, SIDE, 3), np.uint8)
    column = request.plane(SPEC, emit_of())
    few = Request(photos[:3], (SIDE, SIDE, 3), np.uint8).plane(SPEC, emit_of())
    for columns, says in (
        ([], "0 columns"),
        ([column] * (recipe.MOST_PLANES + 1), "17 columns"),
        ([column, few], "24 and 3 samples"),
    ):
        with pytest.raises(ArgumentError, match=says):
            Batch(columns, recipe_steps(), N)
    bad = recipe_steps()
    bad["kind"][1] = 99
    with pytest.raises(ArgumentError, match="step 1 of kind 99"):
        Batch([column], bad, N)
    for views, more, says in (
        ([recipe_steps()], {"maps": None}, "1 lists of steps for 2 views"),
        ([recipe_steps()] * 2, {}, "and no maps"),
        ([recipe_steps(), bad], {"maps": None}, "step 1 of kind 99"),
    ):
        with pytest.raises(ArgumentError, match=says):
            Batch([column, column], [raw(steps) for steps in views], N, **more)
    with pytest.raises(ArgumentError, match="once"):
        column.__init__(SPEC, raw(emit_of()), None, None, None, None, None, None, None)
