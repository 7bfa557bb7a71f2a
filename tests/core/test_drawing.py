"""Steps drawn in C against the slow reference: uniforms bit for bit, parameters exactly."""

import drawing_reference as reference
import numpy as np
import pytest
from drawing_reference import step
from recipe_choice import choose_step

from fastcache._core import drawing
from fastcache.errors import ArgumentError
from fastcache.transforms import steps
from fastcache.transforms.drawn import draw_steps, drawn_maps

MANY = 3000


def whose(rng):
    """Return a key with bits anywhere."""
    seed, epoch, sample = (int(n) for n in rng.integers(0, 2**64, 3, np.uint64))
    return seed, epoch, sample, int(rng.integers(0, 2**32))


def draw_one(recipe, key, h, w, **more):
    seed, epoch, sample, occurrence = key
    return draw_steps(
        recipe, h, w, seed=seed, epoch=epoch, sample=sample, occurrence=occurrence, **more
    )[0]


def test_records_are_cs_structs():
    sizes = {"STEP": drawing.STEP_BYTES, "STAGE": drawing.STAGE_BYTES}
    sizes |= {"DRAWN": drawing.DRAWN_BYTES, "MAP": drawing.MAP_BYTES}
    for name, size in sizes.items():
        assert getattr(steps, name).itemsize == size
    for name, places in drawing.offsets().items():
        fields = getattr(steps, name).fields
        assert {key: fields[key][1] for key in fields} == places
    most = (steps.MOST_STAGES, steps.MOST_COLOURS, steps.MOST_ERASED)
    assert most == (drawing.MOST_STAGES, drawing.MOST_COLOURS, drawing.MOST_ERASED)
    assert drawing.STEP_PIXELS == reference.STEP_PIXELS


def test_the_reference_is_philox():
    """The published vectors (kat_vectors of Random123) for the generator of the reference."""
    ones = 0xFFFFFFFF
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    want = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert reference.philox([0] * 4, [0] * 2) == want
    want = [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert reference.philox([ones] * 4, [ones] * 2) == want
    assert reference.philox(*pi) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def test_random_numbers_are_the_references_bit_for_bit():
    rng = np.random.default_rng(1)
    for _ in range(MANY):
        key = (*whose(rng), int(rng.integers(0, 2**32)))
        ours, want = drawing.Random(*key), reference.Random(*key)
        for kind in rng.choice(["bits", "uniform", "below"], 6):
            if kind == "below":
                count = int(rng.integers(1, 2**31))
                assert ours.below(count) == want.below(count)
            else:
                assert getattr(ours, kind)() == getattr(want, kind)()
        assert ours.normal() == pytest.approx(want.normal(), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("method", ["below", "gamma", "beta"])
@pytest.mark.parametrize("bad", [0, -1])
def test_random_numbers_of_nonsense_are_refused(method, bad):
    random = drawing.Random(0, 0, 0, 0, 0)
    arguments = (bad, 1) if method == "beta" else (bad,)
    with pytest.raises(ArgumentError, match="give 1 or more|needs"):
        getattr(random, method)(*arguments)


@pytest.mark.parametrize("kind", sorted(steps.KINDS))
def test_each_kind_is_drawn_as_the_reference_draws_it(kind):
    """Thousands of keys, sizes and parameters: equal integers, equal amounts."""
    rng = np.random.default_rng(list(kind.encode()))
    refused = 0
    for _ in range(MANY):
        key, (h, w) = whose(rng), (int(n) for n in rng.integers(1, 60, 2))
        recipe = choose_step(rng, kind, "bicubic")
        try:
            actions, out_h, out_w = reference.actions(recipe, key, h, w)
        except reference.RefusedError:
            refused += 1
            with pytest.raises(ArgumentError, match="pad_if_needed"):
                draw_one(recipe, key, h, w)
            continue
        got = draw_one(recipe, key, h, w)
        stage, erased = got["stage"][0], got["erase"][0]
        g = {name: int(stage["geometry"][name]) for name in stage["geometry"].dtype.names}
        assert (g["src_h"], g["src_w"], g["out_h"], g["out_w"]) == (h, w, out_h, out_w)
        colours = [a for a in actions if a[0] == "colour"]
        kept = stage["colour"][: stage["colours"]]
        assert [("colour", c["kind"], c["amount"]) for c in kept] == colours
        flips = [("flip_y",)] * stage["flip_y"] + [("flip_x",)] * stage["flip_x"]
        assert [a for a in actions if a[0].startswith("flip")] == flips
        erasures = [a for a in actions if a[0] == "erase"]
        assert got["erased"] == len(erasures)
        for _, *rect, with_, value, number in erasures:
            assert [erased[name] for name in "yxhw"] == rect
            assert (erased["with"], erased["step"]) == (with_, number)
            assert tuple(erased["value"].tolist()) == value
        at_y, at_x = 0, 0  # where the final image begins in the source, if nothing is resampled
        for action in actions:
            if action[0] == "window":
                at_y, at_x = action[1:3]
        if kind in ("center_crop", "random_crop"):
            assert (g["crop_y"] + g["win_y"], g["crop_x"] + g["win_x"]) == (at_y, at_x)
        elif kind == "random_resized_crop":
            _, y, x, crop_h, crop_w, _, _ = actions[0]
            assert [g[f"crop_{k}"] for k in ("y", "x", "h", "w")] == [y, x, crop_h, crop_w]
        elif kind == "letter_box":
            size = [g["size_h"], g["size_w"], g["win_y"], g["win_x"]]
            assert got["stages"] == 1
            assert size == [*actions[0][1:3], at_y, at_x]
        assert got["stages"] == 1
    assert refused == 0 or kind == "random_crop"


def test_steps_and_samples_do_not_disturb_one_another():
    """A step more in a recipe, or other samples beside it, change nothing of a sample's draw."""
    rng = np.random.default_rng(4)
    crop = choose_step(rng, "random_resized_crop", "bilinear")
    alone = draw_steps(crop, 500, 400, sample=np.arange(100), epoch=3, seed=9)
    flipped = draw_steps(
        np.concatenate([crop, step("flip_x", (), [1])]),
        500,
        400,
        sample=np.arange(100),
        epoch=3,
        seed=9,
    )
    assert (flipped["stage"]["flip_x"][:, 0] == 1).all()
    flipped["stage"]["flip_x"][:, 0] = 0
    np.testing.assert_array_equal(alone, flipped)
    for k in (0, 7, 99):
        np.testing.assert_array_equal(
            alone[k], draw_steps(crop, 500, 400, sample=k, epoch=3, seed=9)[0]
        )
    places = alone["stage"]["geometry"]["crop_x"][:, 0]
    assert len(set(places.tolist())) > 50
    for other in ({"epoch": 4, "seed": 9}, {"epoch": 3, "seed": 8}):
        again = draw_steps(crop, 500, 400, sample=np.arange(100), **other)
        assert (again["stage"]["geometry"]["crop_x"][:, 0] != places).mean() > 0.5
    twice = draw_steps(crop, 500, 400, sample=5, occurrence=np.arange(50), epoch=3, seed=9)
    assert len(set(twice["stage"]["geometry"]["crop_x"][:, 0].tolist())) > 25


BAD_STEPS = [
    step("resize", (0, 5)),
    step("resize", (5, -1)),
    step("resize_short", (0, 0)),
    step("resize_short", (5, 5)),
    step("resize_short", (-1, 5)),
    step("center_crop", (5, 0)),
    step("random_crop", (5, 0)),
    step("random_crop", (5, 5, -1)),
    step("random_crop", (5, 5, 0, 0, 0, 0, 4)),
    step("random_crop", (5, 5, 0, 0, 0, 0, 0, 2)),
    step("random_resized_crop", (5, 5), (0.5, 0.4, 1, 1)),
    step("random_resized_crop", (5, 5), (-0.1, 0.4, 1, 1)),
    step("random_resized_crop", (5, 5), (0.1, np.nan, 1, 1)),
    step("random_resized_crop", (5, 5), (0.1, np.inf, 1, 1)),
    step("random_resized_crop", (5, 5), (0.1, 0.4, 0, 1)),
    step("random_resized_crop", (5, 5), (0.1, 0.4, 2, 1)),
    step("random_resized_crop", (5, 5), (0.1, 0.4, 1, np.inf)),
    step("letter_box", (5, 0, 1)),
    step("letter_box", (5, 5, 2)),
    step("flip_x", (), [1.5]),
    step("flip_y", (), [-0.1]),
    step("greyscale", (), [np.nan]),
    step("colour_jitter", (), (-1, 1, 1, 0, 1, 0, 1, 0)),
    step("colour_jitter", (), (1, 0, 1, np.nan, 1, 0, 1, 0)),
    step("colour_jitter", (), (1, 0, 1, 0, 0, np.inf, 1, 0)),
    step("colour_jitter", (), (1, 0, 1, 0, 1, 0, -0.6, 0)),
    step("erase", (), (0.5, 0.1, 1.1, 1, 1)),
    step("erase", (), (2, 0.1, 0.2, 1, 1)),
    step("erase", [2], (1, 0.1, 0.2, 1, 1)),
]


@pytest.mark.parametrize("bad", BAD_STEPS, ids=lambda s: str(s[0])[:60])
def test_steps_out_of_range_are_refused(bad):
    good = step("flip_x", (), [0.5])
    recipe = np.concatenate([good, bad])
    assert drawing.first_bad_step(recipe.view(np.uint8)) == 1
    with pytest.raises(ArgumentError, match=r"sample 0: step 1 .*out of range"):
        draw_steps(recipe, 9, 9)


def test_unknown_kinds_and_filters_are_refused():
    for key, number in (("kind", -1), ("kind", len(steps.KINDS)), ("filter", 6), ("filter", -1)):
        bad = step("resize", (5, 5))
        bad[key] = number
        with pytest.raises(ArgumentError, match="out of range"):
            draw_steps(bad, 9, 9)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"heights": 0, "widths": 3}, "0 x 3 pixels is no size"),
        ({"heights": [3, -1], "widths": 3}, "sample 1: -1 x 3 pixels"),
        ({"heights": 2**31, "widths": 3}, "heights must be integers"),
        ({"heights": 3.5, "widths": 3}, "heights must be integers"),
        ({"heights": [1, 2], "widths": [1, 2, 3]}, r"heights \(2,\), widths \(3,\)"),
        ({"heights": [[1]], "widths": 3}, "one axis"),
        ({"heights": 3, "widths": 3, "seed": -1}, "seed=-1"),
        ({"heights": 3, "widths": 3, "epoch": -1}, "epoch must be"),
        ({"heights": 3, "widths": 3, "occurrence": 2**32}, "occurrence must be"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ArgumentError, match=match):
        draw_steps(step("flip_x", (), [0.5]), **arguments)


def test_bad_records_are_refused():
    with pytest.raises(ArgumentError, match="steps must be"):
        draw_steps(np.zeros(3, np.uint8), 3, 3)
    with pytest.raises(ArgumentError, match="drawn must be"):
        drawn_maps(np.zeros(3, steps.STEP))
    records = np.zeros(2, steps.DRAWN)
    records["stages"] = 1, 9
    with pytest.raises(ArgumentError, match="sample 1: 9 stages"):
        drawn_maps(records)
    with pytest.raises(ArgumentError, match="before: .* for 2 samples"):
        draw_steps(np.zeros(0, steps.STEP), [3, 3], 3, before=np.zeros(1, steps.STAGE))
    with pytest.raises(ArgumentError, match="where each record takes"):
        drawing.first_bad_step(np.zeros(5, np.uint8))


def test_no_samples_and_no_steps():
    assert draw_steps(step("flip_x", (), [1]), [], [], sample=[]).shape == (0,)
    (nothing,) = draw_steps(np.zeros(0, steps.STEP), 5, 7)
    assert nothing["stages"] == 1
    assert nothing["stage"][0]["geometry"].tolist() == (5, 7, 0, 0, 5, 7, 5, 7, 0, 0, 5, 7)
