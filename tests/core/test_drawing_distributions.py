"""Parameters drawn here and by torchvision come from the same distributions.

Statistics are compared with limits that a right build passes with all but certainty; the numbers of
both sides are seeded, so that the outcome is the same in every run.
"""

import math

import numpy as np
import pytest
from drawing_reference import step
from torchvision_oracle import torchvision

from fastcache._core import drawing
from fastcache.transforms.drawn import draw_steps

DRAWS = 100_000
# Of a right build larger distances have a probability of 1e-9: Q(x) = 2 exp(-2 x^2).
LIMIT = math.sqrt(-math.log(1e-9 / 2) / 2)


def kolmogorov_smirnov(ours, theirs):
    """Return the distance of two samples' distributions, scaled: compare with LIMIT."""
    ours, theirs = np.sort(ours), np.sort(theirs)
    every = np.concatenate([ours, theirs])
    below = [np.searchsorted(one, every, side="right") / one.size for one in (ours, theirs)]
    n, m = ours.size, theirs.size
    return np.abs(below[0] - below[1]).max() * math.sqrt(n * m / (n + m))


def chi_square(counts, expected):
    """Return the statistic in standard deviations above its mean."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    freedom = counts.size - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom)


def draw_many(one, h, w):
    return draw_steps(one, h, w, seed=2, epoch=1, sample=np.arange(DRAWS))


def params_of(transform, h, w, channels=3):
    """Return torchvision's own parameters for an image of that size."""
    vision = torchvision()
    import torch

    image = vision.tv_tensors.Image(torch.empty(channels, h, w, dtype=torch.uint8))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return [transform.make_params([image]) for _ in range(DRAWS)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "scale", "ratio"),
    [
        ((256, 341), (0.08, 1.0), (3 / 4, 4 / 3)),
        ((300, 100), (0.5, 1.0), (3 / 4, 4 / 3)),  # many tries, many centre crops
        ((37, 53), (0.2, 0.3), (0.3, 3.3)),
    ],
    ids=str,
)
def test_resized_crops_are_distributed_as_torchvisions(size, scale, ratio):
    """Place, sides, area and shape: Kolmogorov-Smirnov on 100,000 draws."""
    make = torchvision().transforms.v2.RandomResizedCrop
    theirs = params_of(make(16, scale=scale, ratio=ratio), *size)
    ours = draw_many(step("random_resized_crop", (16, 16), (*scale, *ratio)), *size)
    g = ours["stage"]["geometry"][:, 0]
    pairs = {"top": "crop_y", "left": "crop_x", "height": "crop_h", "width": "crop_w"}
    want = {name: np.array([p[name] for p in theirs], float) for name in pairs}
    got = {name: g[key].astype(float) for name, key in pairs.items()}
    for values in (want, got):
        values["area"] = values["height"] * values["width"]
        values["shape"] = values["width"] / values["height"]
        # Where in what is left: joint with the size.
        values["place"] = values["left"] / np.maximum(size[1] - values["width"], 1)
    for name, values in want.items():
        assert kolmogorov_smirnov(got[name], values) < LIMIT, name


def test_erasures_are_distributed_as_torchvisions():
    """Place and sides: Kolmogorov-Smirnov on 100,000 draws; and how often it happens."""
    scale, ratio = (0.02, 0.33), (0.3, 3.3)
    make = torchvision().transforms.v2.RandomErasing
    theirs = params_of(make(p=1, scale=scale, ratio=ratio), 60, 90)
    ours = draw_many(step("erase", [0], (1, *scale, *ratio), value=[1]), 60, 90)
    erased = ours["erase"][:, 0][ours["erased"] == 1]
    want = {name: np.array([p[name] for p in theirs if p["v"] is not None]) for name in "ijhw"}
    assert abs(erased.size - want["i"].size) < 100
    for name, key in zip("ijhw", "yxhw"):
        assert kolmogorov_smirnov(erased[key], want[name]) < LIMIT, name
    quarter = draw_many(step("erase", [0], (0.25, *scale, *ratio), value=[1]), 60, 90)
    assert abs(chi_square(np.bincount(quarter["erased"]), [0.75 * DRAWS, 0.25 * DRAWS])) < 40


def test_random_crops_are_distributed_as_torchvisions():
    """With padding, and padding where it is needed: Kolmogorov-Smirnov on 100,000 draws."""
    make = torchvision().transforms.v2.RandomCrop
    for size, padding in (((30, 40), (5, 6, 7, 8)), ((80, 40), (1, 2, 3, 4))):
        transform = make(size, padding=list(padding), pad_if_needed=True)
        theirs = params_of(transform, 50, 70)
        ours = draw_many(step("random_crop", (*size, *padding, 0, 1)), 50, 70)
        g = ours["stage"]["geometry"][:, 0]
        for side, start, k in (("top", "y", 1), ("left", "x", 0)):
            got = g[f"crop_{start}"] + g[f"win_{start}"]
            want = np.array([p[side] - p["padding"][k] for p in theirs])
            assert (got.min(), got.max()) == (want.min(), want.max())
            assert kolmogorov_smirnov(got, want) < LIMIT


def test_jitters_are_distributed_as_torchvisions():
    """Each factor: Kolmogorov-Smirnov on 100,000 draws; the 24 orders: chi-square."""
    make = torchvision().transforms.v2.ColorJitter
    theirs = params_of(make(0.4, (0.2, 1.1), 0.3, 0.1), 9, 9)
    ranges = (0.6, 1.4, 0.2, 1.1, 0.7, 1.3, -0.1, 0.1)
    ours = draw_many(step("colour_jitter", (), ranges), 9, 9)
    colours = ours["stage"]["colour"][:, 0, :4]
    assert (ours["stage"]["colours"][:, 0] == 4).all()
    for kind, name in enumerate(("brightness", "contrast", "saturation", "hue")):
        got = colours["amount"][colours["kind"] == kind]
        assert got.size == DRAWS
        want = np.array([p[f"{name}_factor"] for p in theirs])
        assert kolmogorov_smirnov(got, want) < LIMIT, name
    orders = colours["kind"] @ np.array([64, 16, 4, 1])
    seen, counts = np.unique(orders, return_counts=True)
    assert seen.size == 24
    assert abs(chi_square(counts, np.full(24, DRAWS / 24))) < 10
    # Amounts do not depend on the order, nor on one another.
    first = colours["kind"][:, 0] == 0
    brightness = np.where(colours["kind"] == 0, colours["amount"], 0).sum(axis=1)
    assert kolmogorov_smirnov(brightness[first], brightness[~first]) < LIMIT
    hue = np.where(colours["kind"] == 3, colours["amount"], 0).sum(axis=1)
    assert abs(np.corrcoef(brightness, hue)[0, 1]) < 0.02


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["flip_x", "flip_y", "greyscale"])
def test_what_may_happen_happens_as_often_as_it_should(kind, p):
    """Chi-square on 100,000 draws; 0 and 1 mean never and always."""
    stage = draw_many(step(kind, (), [p]), 9, 9)["stage"][:, 0]
    happened = stage["colours" if kind == "greyscale" else kind] == 1
    if p in (0, 1):
        assert happened.all() == happened.any() == bool(p)
        return
    counts = np.bincount(happened.astype(int), minlength=2)
    assert abs(chi_square(counts, [DRAWS * (1 - p), DRAWS * p])) < 40
    # Neighbours, epochs and steps are as good as independent.
    assert abs(np.corrcoef(happened[1:], happened[:-1])[0, 1]) < 0.02
    twice = draw_steps(
        np.concatenate([step(kind, (), [p]), step("flip_x", (), [0.5])]),
        *(9, 9),
        seed=2,
        epoch=2,
        sample=np.arange(DRAWS),
    )
    again = twice["stage"][:, 0]["colours" if kind == "greyscale" else kind] == 1
    assert abs(np.corrcoef(happened, again)[0, 1]) < 0.02


def test_uniform_numbers_fill_their_range_evenly():
    """53 bits: the low ones as even as the high ones."""
    random = drawing.Random(5, 0, 0, 0, 0)
    numbers = np.array([random.uniform() for _ in range(DRAWS)])
    even = (np.arange(DRAWS) + 0.5) / DRAWS
    assert kolmogorov_smirnov(numbers, even) < LIMIT
    low = (numbers * 2**53).astype(np.int64) % 16
    assert abs(chi_square(np.bincount(low, minlength=16), np.full(16, DRAWS / 16))) < 10


def test_normal_numbers_are_normal():
    """Both kinds: Kolmogorov-Smirnov against the error function."""
    random = drawing.Random(5, 0, 0, 0, 0)
    many = np.empty(DRAWS, np.float32)
    random.normals(many)
    random.normals(many[:0])
    points = np.linspace(-6, 6, DRAWS)
    share = np.array([(1 + math.erf(x / math.sqrt(2))) / 2 for x in points])
    for numbers in (many, np.array([random.normal() for _ in range(DRAWS)])):
        got = np.searchsorted(np.sort(numbers), points) / DRAWS
        assert np.abs(got - share).max() * math.sqrt(DRAWS) < LIMIT
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.02
