"""What ``transform=`` does to batches of an arena in device memory: arithmetic per pixel."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from fastcache.errors import ArgumentError
from fastcache.gaf import SeriesTransform
from fastcache.read.columns.columns import Reader, Rows
from fastcache.read.device.device_columns import Place
from fastcache.read.device.device_finish import DeviceFinish
from fastcache.read.pipeline import Pipeline
from fastcache.read.roles import names_in
from fastcache.read.sampling.keys import Keys
from fastcache.read.transform_steps import Transform
from fastcache.schema import Field, Image, Mask, Structure, rebuild
from fastcache.transforms import (
    Layout,
    Normalize,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    ToDtype,
)
from fastcache.transforms.compiling import compile_recipe
from fastcache.transforms.drawn import draw_steps
from fastcache.transforms.translating import translate

_CAN = (Normalize, ToDtype, Layout, RandomHorizontalFlip, RandomVerticalFlip)
_INSTEAD = (
    'keep the arena with home="ram" and load it with ArenaLoader(ds, device="cuda"), which makes '
    "batches on the processor and moves them"
)

Gather = Callable[[Mapping[str, Reader], Mapping[str, Rows], Pipeline], Mapping[str, Any]]


class DeviceRecipe:
    """A transform that the device does to its batches.

    Parameters
    ----------
    transform : operation, or list of operations
    field : Image
        Of the column that it is for.
    followers : mapping of str to Field
        Columns that are flipped with it: masks, and images that are the target.

    Raises
    ------
    ArgumentError
        For everything but Normalize, ToDtype, Layout and flips of uint8 images, and for orders that
        cannot be.
    """

    def __init__(self, transform: Any, field: Image, followers: Mapping[str, Field]) -> None:
        assert field.row_shape is not None
        height, width = field.row_shape[:2]
        if field.dtype != "uint8":
            raise ArgumentError(
                f"transform={transform!r}: on a device it takes uint8 images, and these are "
                f"{field.dtype}: leave it out, and change batches yourself"
            )
        chain = translate(transform, kept=field.dtype, tensors=True)
        if chain.callables:
            raise ArgumentError(
                f"transform={transform!r}: {chain.callables[chain.first]!r} runs on the processor "
                f"({chain.why}), and these samples are in device memory: {_INSTEAD}"
            )
        for operation in chain.operations:
            if not isinstance(operation, _CAN):
                raise ArgumentError(
                    f"transform={transform!r}: {operation!r} does not run on a device, where there "
                    f"are {', '.join(kind.__name__ for kind in _CAN)}: {_INSTEAD}"
                )
        plan = compile_recipe(chain.operations, field.channels, field.dtype, (height, width))
        self._steps = plan.steps
        self._finish = DeviceFinish.of(plan)
        self._layout = plan.layout
        self._size = height, width
        self._followers = tuple(followers)

    @property
    def is_random(self) -> bool:
        """Whether it takes random numbers."""
        return bool(len(self._steps))

    def drawn(self, keys: Keys | None, rows: Rows) -> tuple[Any, Any] | None:
        """Return which samples are turned upside down, and which from left to right, if any."""
        if keys is None:
            return None
        whose = keys.take(rows)
        stage = draw_steps(
            self._steps,
            *self._size,
            seed=whose.seed,
            epoch=whose.epoch,
            sample=whose.sample,
            occurrence=whose.occurrence,
        )["stage"][:, 0]
        return stage["flip_y"] != 0, stage["flip_x"] != 0

    def __call__(
        self, columns: dict[str, Any], name: str, turned: tuple[torch.Tensor, torch.Tensor] | None
    ) -> dict[str, Any]:
        """Return the columns of a batch after it; what was drawn lies on the device, too."""
        made = dict(columns)
        if turned is not None:
            upside_down, mirrored = turned
            for each in (name, *self._followers):
                made[each] = _flipped(_flipped(made[each], upside_down, -2), mirrored, -1)
        if self._finish is not None:
            made[name] = self._finish(made[name])
        elif self._layout == "NCHW":
            made[name] = made[name].contiguous()
        elif self._layout == "NHWC":
            made[name] = made[name].movedim(-3, -1)
        return made


def _flipped(batch: torch.Tensor, flags: torch.Tensor, axis: int) -> torch.Tensor:
    """Return a batch with some samples mirrored; its order in memory stays."""
    chosen = flags.view(-1, *[1] * (batch.dim() - 1))
    return torch.where(chosen, batch.flip(axis), batch)


class DevicePipeline(Pipeline):
    """Samples of an arena in device memory: a batch is made there, and a sample is a batch of one.

    Parameters
    ----------
    structure, fields, transform, target_transform
        As for :class:`Pipeline`.
    place : Place
    gather : callable
        Makes the columns of a batch by readers, rows, and a pipeline.

    Raises
    ------
    ArgumentError
        For transforms that a device does not do.
    """

    def __init__(
        self,
        structure: Structure,
        fields: Mapping[str, Field],
        transform: Transform,
        target_transform: Transform,
        place: Place,
        gather: Gather,
    ) -> None:
        super().__init__(structure, fields, None, None, as_pil=False)
        self._place, self._gather = place, gather
        self._recipe: DeviceRecipe | None = None
        if target_transform is not None:
            raise ArgumentError(
                f"target_transform={target_transform!r} runs on the processor, sample by sample, "
                f"and these are in device memory: {_INSTEAD}"
            )
        if transform is not None:
            self._recipe = self._recipe_of(transform, fields)
        self.transform = transform

    def _recipe_of(self, transform: Transform, fields: Mapping[str, Field]) -> DeviceRecipe:
        name, target = self._roles.image, self._roles.target
        first = transform[0] if isinstance(transform, list | tuple) and transform else transform
        if isinstance(first, SeriesTransform):
            raise ArgumentError(
                f"transform={transform!r}: images of series are made on the processor here: leave "
                "it out, and give batches of series to fastcache.gaf's modules on the device, or "
                + _INSTEAD
            )
        if name is None or not isinstance(fields[name], Image):
            raise ArgumentError(
                f"transform={transform!r}: on a device it is for a sample's only image, or the one "
                f"called image or input; the columns are {', '.join(fields)}"
            )
        aims = [] if target is None else names_in(target)
        followers = {
            each: field
            for each, field in fields.items()
            if isinstance(field, Mask) or (isinstance(field, Image) and each in aims)
        }
        image = fields[name]
        assert isinstance(image, Image)
        return DeviceRecipe(transform, image, followers)

    @property
    def is_random(self) -> bool:
        return self._recipe is not None and self._recipe.is_random

    def finished(self, columns: dict[str, Any], rows: Mapping[str, Rows]) -> dict[str, Any]:
        """Return the columns of a batch as samples have them; all of it is asked of the device."""
        name = self._roles.image
        if self._recipe is None or name is None:
            return columns
        drawn = self._recipe.drawn(self.keys, rows[name])
        turned = None
        if drawn is not None:
            turned = self._place.sent(drawn[0]), self._place.sent(drawn[1])
        with self._place.device.on_stream():
            return self._recipe(columns, name, turned)

    def sample(self, readers: Mapping[str, Reader], row_of: Callable[[str], int]) -> Any:
        rows = {name: np.array([row_of(name)], np.int64) for name in readers}
        columns = self._gather(readers, rows, self)
        return rebuild(self._structure, lambda name: readers[name].pick(columns[name], 0))
