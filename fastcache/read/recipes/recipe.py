"""A recipe for the images of a dataset: what C does to which columns on each read."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from fastcache._core.image import Spec
from fastcache.errors import ArgumentError
from fastcache.read.device.device_finish import DeviceFinish
from fastcache.read.recipes.recipe_output import Output
from fastcache.schema import Field, Image, Mask
from fastcache.transforms import (
    Chain,
    Layout,
    LetterBox,
    MultiCrop,
    ReadOperation,
    RecipePlan,
)
from fastcache.transforms.compiling import compile_recipes
from fastcache.transforms.recipe_state import MOST_LEVELS
from fastcache.transforms.steps import ELEMENTS, EMIT, KINDS, SCALINGS, one_step

# Steps whose outcome follows from the image alone.
_SETTLED = [KINDS[name] for name in ("resize", "resize_short", "center_crop", "letter_box")]
_CHANCES = [KINDS[name] for name in ("flip_x", "flip_y", "greyscale")]
_COLOURS = [KINDS[name] for name in ("colour_jitter", "greyscale", "erase")]


class Made(NamedTuple):
    """What becomes of one column.

    Attributes
    ----------
    outputs : tuple of Output
        One, or one for each view.
    spec : Spec
        Of the pixels in the arena.
    is_mask : bool
    is_list : bool
        Whether there is a list of views in the place of each image.
    """

    outputs: tuple[Output, ...]
    spec: Spec
    is_mask: bool
    is_list: bool


class Recipe:
    """What C does on each read; prints as what runs where.

    Parameters
    ----------
    chain : Chain
        With at least one operation.
    image : str
        The column that it is for.
    followers : sequence of str
        Columns of masks and images whose pixels are moved in the same way.
    fields : mapping of str to Field

    Attributes
    ----------
    columns : dict of str to Made
    plans : tuple of RecipePlan
        Of the image: one, or one for each view.
    has_views : bool
        Whether samples hold a list of views in the place of an image.
    is_random : bool
        Whether it takes random numbers.
    moves : bool
        Whether it changes where pixels are, or how many.
    mixing : MixUp, CutMix or None
        What is done to whole batches and their labels.

    Raises
    ------
    ArgumentError
        For what cannot be done to such images.
    """

    def __init__(
        self, chain: Chain, image: str, followers: Sequence[str], fields: Mapping[str, Field]
    ) -> None:
        field = fields[image]
        assert isinstance(field, Image)
        self.chain = chain
        self.image = image
        self.plans = compile_recipes(chain.operations, field.channels, field.dtype, field.size)
        self.has_views = any(isinstance(part, MultiCrop) for part in chain.operations)
        self.mixing = self.plans[0].batch_step
        drawn = any(is_random(plan.steps) for plan in self.plans)
        self.is_random = drawn or self.mixing is not None
        whole = self.mixing is None and not chain.callables  # else somebody looks at the numbers
        outputs = tuple(_of_image(plan, whole) for plan in self.plans)
        self.columns = {image: Made(outputs, image_spec(field), False, self.has_views)}
        self.moves = any(part.moves_pixels for plan in self.plans for part in plan.operations)
        for name in followers if self.moves else ():
            self.columns[name] = self._follow(name, fields[name], field)

    def _follow(self, name: str, field: Field, image: Image) -> Made:
        assert isinstance(field, Image | Mask)
        if field.size is not None and image.size is not None and field.size != image.size:
            raise ArgumentError(
                f"column {name!r} is {field.size[0]} x {field.size[1]} pixels and {self.image!r} "
                f"{image.size[0]} x {image.size[1]}: what moves pixels needs equal sizes; give "
                "both the same store="
            )
        if isinstance(field, Mask):
            spec, emit, dtype = _mask_kind(name, field.dtype, _mask_fill(self.chain.operations))
            outputs = tuple(
                Output(plan.operations, plan.steps, emit, dtype, "HW", plan.size)
                for plan in self.plans
            )
            return Made(outputs, spec, True, self.has_views)
        return Made(self._moved(name, field), image_spec(field), False, self.has_views)

    def _moved(self, name: str, field: Image) -> tuple[Output, ...]:
        """Return outputs of another image, whose colours and numbers stay what they are."""
        outputs = []
        for plan in self.plans:
            parts = [o for o in plan.operations if o.moves_pixels or isinstance(o, Layout)]
            try:
                (own,) = compile_recipes(parts, field.channels, field.dtype, field.size)
            except ArgumentError as error:
                raise ArgumentError(f"column {name!r} follows {self.image!r}: {error}") from error
            steps = plan.steps.copy()
            # Random numbers belong to the number of a step, so none may be left out.
            steps[np.isin(steps["kind"], _COLOURS)] = one_step("flip_x", real=[0.0])[0]
            dtype = getattr(torch, own.dtype)
            outputs.append(Output(own.operations, steps, own.emit, dtype, own.layout, own.size))
        return tuple(outputs)

    @property
    def result(self) -> tuple[str, int]:
        """Type and channels of the results."""
        return self.plans[0].dtype, int(self.plans[0].emit["channels"])

    def lines(self) -> list[str]:
        """Return what runs, a line each."""
        numbers = list(dict.fromkeys(plan.lines()[-1] for plan in self.plans))
        python = Chain((), self.chain.callables, self.chain.why, self.chain.first).lines()
        lines = Chain(self.chain.operations).lines()
        lines += [f"in C: {line}" for line in numbers]
        moved = [name for name in self.columns if name != self.image]
        if moved:
            lines.append(f"in C: moved as {self.image} is: {', '.join(moved)}")
        return lines + python

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def why_not(name: str, field: Field) -> str:
    """Return why no recipe can be for a column; "" if one can."""
    if not isinstance(field, Image):
        return f"C makes batches of images, and column {name!r} holds none"
    fits = field.dtype in MOST_LEVELS and field.channels in (
        (1, 3, 4) if field.dtype == "uint8" else (1,)
    )
    if fits:
        return ""
    return (
        f"images are kept as {field.channels} channels of {field.dtype}, and C makes batches of 1, "
        "3 or 4 of uint8, or of one of uint16"
    )


def is_random(steps: npt.NDArray[np.void]) -> bool:
    """Whether steps have more than one outcome."""
    kinds, chance = steps["kind"], steps["real"][:, 0] if len(steps) else steps["kind"]
    settled = np.isin(kinds, _SETTLED) | (np.isin(kinds, _CHANCES) & np.isin(chance, (0.0, 1.0)))
    return not settled.all()


def image_spec(field: Image) -> Spec:
    """Return the Spec of an image column's pixels."""
    return Spec(
        channels=field.channels, wide=field.dtype == "uint16", premultiply=field.channels == 4
    )


def _of_image(plan: RecipePlan, whole: bool) -> Output:
    """Return what a plan makes; `whole`: nothing follows on it."""
    kind = getattr(torch, plan.dtype), plan.layout, plan.size
    finish = DeviceFinish.of(plan) if whole else None
    return Output(plan.operations, plan.steps, plan.emit, *kind, finish)


def _mask_fill(operations: Sequence[ReadOperation]) -> int:
    """Return the largest class index of padding: a LetterBox has one of its own."""
    parts: list[ReadOperation] = []
    for operation in operations:
        parts += sum(operation.views, ()) if isinstance(operation, MultiCrop) else [operation]
    return max((part.mask_fill for part in parts if isinstance(part, LetterBox)), default=0)


def _mask_kind(name: str, dtype: str, fill: int) -> tuple[Spec, npt.NDArray[np.void], torch.dtype]:
    """Return Spec, EMIT record and type of masks; what is only moved may be moved as bytes."""
    kind = np.dtype(dtype)
    if kind.itemsize > 4 or (kind.itemsize > 1 and fill and kind.kind not in "iu"):
        raise ArgumentError(
            f"column {name!r} holds masks of {dtype}, and C moves those of up to 4 bytes per "
            "pixel: keep them as uint8 or int32"
        )
    if kind.itemsize == 4 and fill:
        raise ArgumentError(
            f"column {name!r} holds masks of {dtype}, which C pads with 0 only: leave out "
            f"mask_fill={fill}, or keep them as uint8"
        )
    channels, wide = (4 if kind.itemsize == 4 else 1), kind.itemsize == 2
    emit: npt.NDArray[Any] = np.zeros((), EMIT)
    emit["element"] = ELEMENTS["uint16" if wide else "uint8"]
    emit["channels"], emit["scaling"], emit["std"] = channels, SCALINGS["plain"], 1
    spec = Spec(channels=channels, wide=wide, filter=0)
    return spec, emit, torch.from_numpy(np.empty(0, kind)).dtype
