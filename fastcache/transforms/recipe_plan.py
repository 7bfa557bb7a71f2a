"""RecipePlan: what the C core is told about a recipe."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastcache.transforms.mixing import BatchOperation
from fastcache.transforms.operation import ReadOperation, Size, Steps
from fastcache.transforms.recipe_state import MOST_LEVELS
from fastcache.transforms.steps import SCALINGS
from fastcache.transforms.telling import number_line, recipe_lines


@dataclass(frozen=True, eq=False, repr=False)
class RecipePlan:
    """What C does to each sample on its way into a batch.

    Attributes
    ----------
    operations : tuple of ReadOperation
        As they were given.
    steps : structured array of dtype :data:`~fastcache.transforms.steps.STEP`
        What is drawn and made, in this order.
    emit : structured array of shape () and dtype :data:`~fastcache.transforms.steps.EMIT`
        How pixels become numbers. Its ``channels`` are those of the batch, which Grayscale makes
        differ from `channels`: 1 of 3 is the first of three equal ones, 3 of 1 repeats it.
        ``streaming`` is 0: only who knows the batch can tell.
    channels, kept : int, str
        Channels and type of the pixels in the arena.
    dtype : str
        Type of the numbers in a batch.
    layout : {"channels_last", "NCHW", "NHWC"}
    size : (int, int) or None
        Pixels of the result, (height, width), if it is the same for all samples.
    batch_step : MixUp, CutMix or None
        What is done to whole batches afterwards.
    """

    operations: tuple[ReadOperation, ...]
    steps: Steps
    emit: npt.NDArray[np.void]
    channels: int
    kept: str
    dtype: str
    layout: str
    size: Size | None
    batch_step: BatchOperation | None

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Shape of a sample's result as users see it, if it is the same for all samples."""
        if self.size is None:
            return None
        channels = int(self.emit["channels"])
        if self.layout == "NHWC":
            return (*self.size, channels)
        return (channels, *self.size)

    def lines(self) -> list[str]:
        """Return what runs, a line each."""
        scaling = next(k for k, number in SCALINGS.items() if number == self.emit["scaling"])
        numbers = number_line(scaling, MOST_LEVELS[self.kept], self.dtype)
        return [*recipe_lines(self.operations), numbers]

    def __repr__(self) -> str:
        what = f"{self.channels} x {self.kept}"
        shape = "sizes that differ" if self.shape is None else str(self.shape)
        head = f"RecipePlan: {what} → {self.dtype}, {shape}, {self.layout}"
        return "\n".join([head, *(f"  {line}" for line in self.lines())])
