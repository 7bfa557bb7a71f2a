"""Colours of pixels in memory against torchvision's."""

from types import ModuleType

import numpy as np
import pytest
from colours import EVERY, TURNS, Pixels, changed, grid, photo
from torchvision_oracle import torchvision

from fastcache._core.tint import BRIGHTNESS, CONTRAST, GREY, HUE, SATURATION


def twin(vision: ModuleType, pixels: Pixels, *colours: tuple[int, float]) -> Pixels:
    """Return what torchvision makes of the pixels; amounts are float32 there as well."""
    import torch

    by_name = vision.transforms.v2.functional
    functions = {
        BRIGHTNESS: by_name.adjust_brightness,
        CONTRAST: by_name.adjust_contrast,
        SATURATION: by_name.adjust_saturation,
        HUE: by_name.adjust_hue,
        GREY: lambda image, _: by_name.rgb_to_grayscale(image, len(image)),
    }
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    for kind, by in colours:
        image = functions[kind](image, float(np.float32(by)))
    return image.numpy().transpose(1, 2, 0)


def assert_equals_twin(pixels: Pixels, *colours: tuple[int, float]) -> None:
    import torch

    ours = changed(pixels, *colours)
    theirs = twin(torchvision(), pixels, *colours)
    # Where torch has no fused sums, it rounds twice where we round once.
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        np.testing.assert_array_equal(ours, theirs)
    elif len(colours) == 1:
        assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("colour", EVERY)
@pytest.mark.parametrize("shape", [(61, 83, 3), (224, 224, 3), (1, 1, 3), (5, 7, 1), (2, 300, 1)])
def test_equals_torchvision(colour, shape):
    torchvision()
    assert_equals_twin(photo(*shape), colour)


@pytest.mark.parametrize("colour", [*((HUE, by) for by in TURNS), (SATURATION, 0.6), (GREY, 0.0)])
def test_all_corners_of_the_cube_of_colours_equal_torchvision(colour):
    torchvision()
    assert_equals_twin(grid(5), colour)


def test_a_whole_turn_equals_torchvisions():
    """Yellow turned by a little more than its own hue: rounding makes the rest a whole turn."""
    torchvision()
    yellow = np.float32(1 / 6) + np.float32(1) - np.float32(1)
    pixels = np.full((3, 20, 3), (250, 250, 10), np.uint8)
    colour = (HUE, float(np.nextafter(-yellow, np.float32(-1))))
    assert_equals_twin(pixels, colour)
    np.testing.assert_array_equal(changed(pixels, colour), np.full((3, 20, 3), (250, 10, 10)))


@pytest.mark.parametrize("seed", range(24))
def test_colours_in_a_row_equal_torchvision(seed):
    torchvision()
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(5) if seed % 2 else rng.integers(0, 5, 12)
    colours = [(int(k), rng.uniform(-0.5, 0.5) if k == HUE else rng.uniform(0, 2)) for k in kinds]
    assert_equals_twin(photo(*rng.integers(1, 80, 2), seed=seed), *colours)


def test_large_images_stay_within_a_level():
    """The sum of grey values is beyond 2**24 here, where float32 sums are no longer exact."""
    vision = torchvision()
    pixels = photo(700, 650) | 128
    for by in (0.6, 1.4):
        theirs = twin(vision, pixels, (CONTRAST, by))
        assert np.abs(changed(pixels, (CONTRAST, by)).astype(int) - theirs).max() <= 1
