"""Photographs for the demo: many views of the few photos that two Python packages ship.

Every file depends only on its number and the seed, so that a folder made twice, or by another
number of threads, holds the same pixels.
"""

import math
import os
import random
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from PIL import Image

RECIPE = 1  # part of the folder's name: a changed recipe is another folder

# (package, path inside it) of each photograph; the class is named after the file.
SHIPPED = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)

# ImageNet's commonest sizes (width, height) and about how often they occur; what is left over
# takes a size of its own.
_COMMON_SIZES = (
    ((500, 375), 0.30),
    ((375, 500), 0.08),
    ((500, 333), 0.18),
    ((333, 500), 0.06),
)
_GREY = 0.05
_PNG = 0.01
_WEBP = 0.01


@dataclass(frozen=True)
class View:
    """One photograph to be made: which part of the source, how lit, how written."""

    label: str
    size: tuple[int, int]  # width, height
    affine: tuple[float, float, float, float, float, float]  # output pixel -> source pixel
    gains: tuple[float, float, float]
    gamma: float
    grey: bool
    suffix: str
    quality: int
    subsampling: int  # Pillow's code: 0 is 4:4:4, 2 is 4:2:0


def load_shipped() -> dict[str, Image.Image]:
    """Return the photographs by class name; an error names the package that is missing."""
    photos = {}
    for package, inside in SHIPPED:
        try:
            resource = files(package).joinpath(inside)
        except ModuleNotFoundError as error:
            raise SystemExit(
                f"the demo's photographs come with {package}, which is not installed: "
                f"pip install scikit-learn matplotlib, or give your own folder with --data"
            ) from error
        with as_file(resource) as path, Image.open(path) as image:
            photos[path.stem] = image.convert("RGB")
    return photos


def plan_view(index: int, seed: int, sources: Mapping[str, tuple[int, int]]) -> View:
    """Choose view `index`: the same for the same seed, whatever was made before.

    Parameters
    ----------
    index, seed : int
    sources : mapping of str to (int, int)
        Width and height of each photograph, by class name.
    """
    rng = random.Random(f"{RECIPE}/{seed}/{index}")
    labels = sorted(sources)
    label = labels[index % len(labels)]
    size = _size(rng)
    light = rng.uniform(0.7, 1.25)
    kind = rng.random()
    suffix = ".png" if kind < _PNG else ".webp" if kind < _PNG + _WEBP else ".jpg"
    return View(
        label=label,
        size=size,
        affine=_inside(rng, size, sources[label]),
        gains=(
            light * rng.uniform(0.9, 1.1),
            light * rng.uniform(0.9, 1.1),
            light * rng.uniform(0.9, 1.1),
        ),
        gamma=rng.uniform(0.7, 1.4),
        grey=rng.random() < _GREY,
        suffix=suffix,
        quality=rng.randint(75, 95),
        subsampling=0 if rng.random() < 0.75 else 2,
    )


def _size(rng: random.Random) -> tuple[int, int]:
    draw = rng.random()
    for size, share in _COMMON_SIZES:
        if draw < share:
            return size
        draw -= share
    long = round(min(1400.0, max(120.0, rng.lognormvariate(math.log(480), 0.35))))
    short = max(90, round(long * rng.uniform(0.6, 1.0)))
    return (long, short) if rng.random() < 0.7 else (short, long)


def _inside(
    rng: random.Random, size: tuple[int, int], source: tuple[int, int]
) -> tuple[float, float, float, float, float, float]:
    """Rotate and scale a window of `size` so that no corner of it leaves the source."""
    width, height = size
    angle = math.radians(rng.uniform(-25, 25))
    cos, sin = math.cos(angle), math.sin(angle)
    span_x = width * abs(cos) + height * abs(sin)
    span_y = width * abs(sin) + height * abs(cos)
    scale = min(source[0] / span_x, source[1] / span_y) * rng.uniform(0.5, 1.0)
    centre_x = rng.uniform(span_x * scale / 2, source[0] - span_x * scale / 2)
    centre_y = rng.uniform(span_y * scale / 2, source[1] - span_y * scale / 2)
    a, b = scale * cos, -scale * sin
    d, e = scale * sin, scale * cos
    return (
        a,
        b,
        centre_x - a * width / 2 - b * height / 2,
        d,
        e,
        centre_y - d * width / 2 - e * height / 2,
    )


def render(view: View, photo: Image.Image) -> Image.Image:
    """Return the view's pixels, mode RGB or L."""
    image = photo.transform(
        view.size, Image.Transform.AFFINE, view.affine, Image.Resampling.BICUBIC
    )
    table = [
        min(255, round(255 * min(1.0, gain * value / 255) ** view.gamma))
        for gain in view.gains
        for value in range(256)
    ]
    image = image.point(table)
    return image.convert("L") if view.grey else image


def write_view(view: View, photo: Image.Image, stem: Path) -> None:
    """Write a view to `stem` plus the suffix of its format."""
    image, path = render(view, photo), stem.with_suffix(view.suffix)
    if view.suffix == ".png":
        image.save(path)
    elif view.suffix == ".webp":
        image.save(path, quality=view.quality)
    else:
        image.save(path, quality=view.quality, subsampling=view.subsampling)


def _write_broken(root: Path, labels: list[str]) -> None:
    """Three files as every large collection has them: cut short, empty, and no image at all."""
    whole = min((root / labels[0]).iterdir()).read_bytes()
    (root / labels[0] / "broken-cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / labels[1] / "broken-empty.jpg").write_bytes(b"")
    (root / labels[2] / "broken-text.jpg").write_text("404 Not Found\n", encoding="ascii")


def make(parent: Path, count: int = 2000, seed: int = 0, threads: int | None = None) -> Path:
    """Write a class folder of `count` photographs and 3 broken files, or find it made already.

    Parameters
    ----------
    parent : Path
        The folder is made in here; its name tells recipe, count and seed.
    count, seed : int
        Number of whole photographs (at least 3: one of each class), and what they depend on.
    threads : int, optional
        None: one per core. Changes nothing but the time taken.

    Returns
    -------
    Path
        The class folder. It appears under this name only when it is complete.
    """
    if count < len(SHIPPED):
        raise SystemExit(f"--count {count}: at least {len(SHIPPED)}, one photograph of each class")
    root = parent / f"photos-r{RECIPE}-n{count}-s{seed}"
    if root.exists():
        return root
    photos = load_shipped()
    sizes = {label: photo.size for label, photo in photos.items()}
    partial = parent / f"{root.name}.partial-{os.getpid()}"
    for label in photos:
        (partial / label).mkdir(parents=True)

    def work(index: int) -> None:
        view = plan_view(index, seed, sizes)
        write_view(view, photos[view.label], partial / view.label / f"{index:06d}")

    try:
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            for _ in pool.map(work, range(count)):
                pass
        _write_broken(partial, sorted(photos))
        partial.rename(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return root
