"""Drawing a recipe, slow and obvious: the generator, and each step as torchvision describes it.

What a step does to one image becomes *actions* in the coordinates of the image at hand, to be done
one after the other:

    ("window", y, x, h, w, padding, fill)    ("resample", h, w, filter)
    ("flip_y",)  ("flip_x",)                 ("colour", kind, amount)
    ("erase", y, x, h, w, with, value, step)
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcache.transforms import FILTERS
from fastcache.transforms.steps import COLOURS, KINDS, PADDINGS, STEP

WORD = 0xFFFFFFFF
STEP_PIXELS = 0x80000000
Action = tuple[Any, ...]


class RefusedError(Exception):
    """The step cannot be done to an image of that size."""


def step(
    kind: str,
    number: Sequence[int] = (),
    real: Sequence[float] = (),
    *,
    filter: str = "bilinear",  # noqa: A002 - the struct's word
    fill: int = 0,
    value: Sequence[float] = (),
) -> npt.NDArray[np.void]:
    """Return one step as an array of dtype STEP and length 1."""
    record = np.zeros(1, STEP)
    record["kind"], record["filter"], record["fill"] = KINDS[kind], FILTERS[filter], fill
    for key, values in (("number", number), ("real", real), ("value", value)):
        record[key][0, : len(values)] = values
    return record


def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox4x32-10: Salmon et al., SC 2011."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k, q & WORD, (p >> 32) ^ d ^ m, p & WORD
        k, m = (k + 0x9E3779B9) & WORD, (m + 0xBB67AE85) & WORD
    return [a, b, c, d]


class Random:
    """The numbers of one step of one sample."""

    def __init__(self, seed: int, epoch: int, sample: int, occurrence: int, step: int) -> None:
        key = philox([seed & WORD, seed >> 32, epoch & WORD, epoch >> 32], [0, 0])[:2]
        own = philox([sample & WORD, sample >> 32, occurrence, step], key)
        self.key, self.stream, self.block = own[:2], own[2:], 0
        self.words: list[int] = []

    def bits(self) -> int:
        if not self.words:
            self.words = philox([self.block & WORD, self.block >> 32, *self.stream], self.key)
            self.block += 1
        return self.words.pop(0)

    def uniform(self) -> float:
        return ((self.bits() << 32 | self.bits()) >> 11) / 2**53

    def below(self, count: int) -> int:
        """Refuse the words whose product would fall into a share that is one too large."""
        while True:
            product = self.bits() * count
            if product & WORD >= 2**32 % count:
                return product >> 32

    def between(self, low: float, high: float) -> float:
        return low + self.uniform() * (high - low)

    def normal(self) -> float:
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())


def resize_short(h: int, w: int, size: int, most: int) -> tuple[int, int]:
    short, long = min(h, w), max(h, w)
    if size == 0:
        new_short, new_long = int(most * short / long), most
    else:
        new_short, new_long = size, int(size * long / short)
        if most and new_long > most:
            new_short, new_long = int(most * new_short / new_long), most
    new_short = max(new_short, 1)
    return (new_long, new_short) if h > w else (new_short, new_long)


def center(have: int, want: int) -> int:
    return -((want - have) // 2) if want > have else round((have - want) / 2)


def random_start(random: Random, have: int, want: int, pad: Sequence[int], needed: bool) -> int:
    before, after = pad
    if needed and have + before + after < want:
        missing = want - (have + before + after)
        before, after = before + missing, after + missing
    padded = have + before + after
    if padded < want:
        raise RefusedError(f"{want} of {padded}")
    return (random.below(padded - want + 1) if padded > want else 0) - before


def resized_crop(
    random: Random, height: int, width: int, scale: Sequence[float], ratio: Sequence[float]
) -> tuple[int, int, int, int]:
    """Return y, x, h, w as ``RandomResizedCrop.make_params`` does."""
    for _ in range(10):
        target = height * width * random.between(*scale)
        aspect = math.exp(random.between(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            y = random.below(height - h + 1)
            return y, random.below(width - w + 1), h, w
    h, w = height, width
    if width / height < ratio[0]:
        h = max(round(width / ratio[0]), 1)
    elif width / height > ratio[1]:
        w = max(round(height * ratio[1]), 1)
    return (height - h) // 2, (width - w) // 2, h, w


def erased(
    random: Random, height: int, width: int, scale: Sequence[float], ratio: Sequence[float]
) -> tuple[int, int, int, int] | None:
    """Return y, x, h, w as ``RandomErasing.make_params`` does."""
    for _ in range(10):
        target = height * width * random.between(*scale)
        aspect = math.exp(random.between(math.log(ratio[0]), math.log(ratio[1])))
        h, w = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if h < height and w < width:
            y = random.below(height - h + 1)
            return y, random.below(width - w + 1), h, w
    return None


def jitter(random: Random, real: Sequence[float]) -> list[Action]:
    order = list(range(4))
    for i in (3, 2, 1):
        j = random.below(i + 1)
        order[i], order[j] = order[j], order[i]
    ranges = [(real[2 * k], real[2 * k + 1]) for k in range(4)]
    amounts = {k: random.between(*r) for k, r in enumerate(ranges) if r[0] <= r[1]}
    return [("colour", k, float(np.float32(amounts[k]))) for k in order if k in amounts]


def letter_box(h: int, w: int, frame: Sequence[int], scale_up: bool) -> tuple[int, int, int, int]:
    ratio = min(frame[0] / h, frame[1] / w)
    if not scale_up:
        ratio = min(ratio, 1)
    new_h, new_w = max(round(h * ratio), 1), max(round(w * ratio), 1)
    return new_h, new_w, round((frame[0] - new_h) / 2 - 0.1), round((frame[1] - new_w) / 2 - 0.1)


def actions_of(
    one: np.void, whose: tuple[int, int, int, int], number: int, h: int, w: int
) -> list[Action]:
    """Return what step `number` of a recipe does to an image of h x w pixels.

    `whose`: seed, epoch, sample, occurrence. Raises RefusedError.
    """
    kind = {value: name for name, value in KINDS.items()}[int(one["kind"])]
    n, real = one["number"].tolist(), one["real"].tolist()
    random, fill, constant = Random(*whose, number), int(one["fill"][0]), PADDINGS["constant"]
    filter_ = int(one["filter"])
    if kind == "resize":
        return [("resample", n[0], n[1], filter_)]
    if kind == "resize_short":
        return [("resample", *resize_short(h, w, n[0], n[1]), filter_)]
    if kind == "center_crop":
        return [("window", center(h, n[0]), center(w, n[1]), n[0], n[1], constant, fill)]
    if kind == "random_crop":
        y = random_start(random, h, n[0], (n[3], n[5]), bool(n[7]))
        x = random_start(random, w, n[1], (n[2], n[4]), bool(n[7]))
        return [("window", y, x, n[0], n[1], n[6], fill)]
    if kind == "random_resized_crop":
        crop = resized_crop(random, h, w, real[:2], real[2:4])
        return [("window", *crop, constant, 0), ("resample", n[0], n[1], filter_)]
    if kind == "letter_box":
        new_h, new_w, top, left = letter_box(h, w, n[:2], bool(n[2]))
        inner = ("resample", new_h, new_w, filter_)
        return [inner, ("window", -top, -left, n[0], n[1], constant, fill)]
    if kind == "colour_jitter":
        return jitter(random, real)
    if random.uniform() >= real[0]:
        return []
    if kind == "greyscale":
        return [("colour", COLOURS["grey"], 0.0)]
    if kind == "erase":
        rect = erased(random, h, w, real[1:3], real[3:5])
        if rect is None or not (rect[2] and rect[3]):
            return []
        value = tuple(one["value"].tolist())
        return [("erase", *rect, n[0], value, number | STEP_PIXELS)]
    return [(kind,)]


def actions(
    steps: npt.NDArray[np.void], whose: tuple[int, int, int, int], h: int, w: int
) -> tuple[list[Action], int, int]:
    """Return what all steps do, and the size of the final image."""
    found: list[Action] = []
    for number, one in enumerate(steps):
        for action in actions_of(one, whose, number, h, w):
            found.append(action)
            if action[0] == "resample":
                h, w = action[1:3]
            elif action[0] == "window":
                h, w = action[3:5]
    return found, h, w
