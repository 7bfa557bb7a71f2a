"""Pictures whose colours are changed, and the changes that tests of colours try."""

import numpy as np
import numpy.typing as npt

from fastcache._core import tint as core
from fastcache._core.tint import BRIGHTNESS, CONTRAST, GREY, HUE, SATURATION

Pixels = npt.NDArray[np.uint8]
FACTORS = (0.0, 0.3, 0.7, 0.9, 1.0, 1.1, 1.4, 2.0, 10.0)
TURNS = (-0.5, -0.25, -0.1, -1 / 3, 0.0, 0.02, 0.1, 1 / 6, 0.5)
EVERY = [(kind, by) for kind in (BRIGHTNESS, CONTRAST, SATURATION) for by in FACTORS]
EVERY += [(HUE, by) for by in TURNS] + [(GREY, 0.0)]


def photo(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Return slopes of colour with grain, a grey patch, and a patch of pure noise."""
    rng = np.random.default_rng((seed, height, width, channels))
    y, x = np.mgrid[0 : 1 : complex(height), 0 : 1 : complex(width)][..., None]  # type: ignore[misc]
    slopes = 255 * (rng.random(channels) * y + rng.random(channels) * (1 - x))
    pixels = np.clip(slopes + rng.normal(0, 12, slopes.shape), 0, 255).astype(np.uint8)
    pixels[: height // 4] = pixels[: height // 4, :, :1]
    noisy = pixels[height // 2 :, width // 2 :]
    noisy[:] = np.clip(rng.integers(-60, 316, noisy.shape), 0, 255)
    return pixels


def changed(pixels: Pixels, *colours: tuple[int, float]) -> Pixels:
    """Return a copy with the colours (kind, amount) applied."""
    pixels = pixels.copy()
    core.apply_colours(pixels, [kind for kind, _ in colours], [by for _, by in colours])
    return pixels


def grid(step: int) -> Pixels:
    """Return all colours of each `step`-th value, the last one included, as one image."""
    values = np.unique(np.append(np.arange(0, 256, step), 255)).astype(np.uint8)
    return np.stack(np.meshgrid(values, values, values), -1).reshape(len(values), -1, 3)
