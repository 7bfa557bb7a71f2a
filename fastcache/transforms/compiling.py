"""From a list of operations to a recipe that the C core can run."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError
from fastcache.transforms.coloring import ColorJitter, Grayscale
from fastcache.transforms.emitting import Normalize
from fastcache.transforms.erasing import RandomErasing
from fastcache.transforms.multi_crop import split_views
from fastcache.transforms.operation import ReadOperation, Size, Steps
from fastcache.transforms.random_crops import RandomCrop
from fastcache.transforms.recipe_plan import RecipePlan
from fastcache.transforms.recipe_state import MOST_LEVELS, Erasing, RecipeState
from fastcache.transforms.steps import ELEMENTS, EMIT, NO_STEPS, SCALINGS, one_step

_LARGEST = {name: float(np.finfo(name).max) for name in ("float16", "float32")}


def compile_recipe(
    operations: Sequence[ReadOperation],
    channels: int,
    dtype: npt.DTypeLike = "uint8",
    size: Size | None = None,
) -> RecipePlan:
    """Compile a list of operations without a MultiCrop.

    Parameters
    ----------
    operations : sequence of ReadOperation
        Empty: pixels are handed on as they are.
    channels : {1, 3, 4}
        Of the images that are kept.
    dtype : dtype
        Of the images that are kept: uint8, or uint16 of one channel.
    size : (int, int), optional
        (height, width) in pixels of the images that are kept, if all have this one.

    Returns
    -------
    RecipePlan

    Raises
    ------
    ArgumentError
        For an order that cannot be (the message says what to move where), numbers of channels that
        do not fit, crops larger than a known size, images that C does not make batches of.
    """
    plans = compile_recipes(operations, channels, dtype, size)
    if len(plans) > 1:
        raise ArgumentError(f"the recipe makes {len(plans)} views: ask for all of them")
    return plans[0]


def compile_recipes(
    operations: Sequence[ReadOperation],
    channels: int,
    dtype: npt.DTypeLike = "uint8",
    size: Size | None = None,
) -> tuple[RecipePlan, ...]:
    """Compile a list of operations: one recipe for each view of a MultiCrop, else one.

    Parameters and errors are those of :func:`compile_recipe`.

    Returns
    -------
    tuple of RecipePlan
        To be drawn with the same key: what stands before the MultiCrop then gets the same random
        numbers in all of them, and what comes after gets numbers of its own in each.
    """
    kept = np.dtype(dtype).name
    if kept not in MOST_LEVELS or channels not in ((1, 3, 4) if kept == "uint8" else (1,)):
        raise ArgumentError(
            f"images of {channels} channels of {kept} are not for operations of fastcache: C makes "
            "batches of 1, 3 or 4 channels of uint8, or of one of uint16"
        )
    shared, views = split_views(operations)
    plans: list[RecipePlan] = []
    behind = 0  # steps of the views before
    for view in views:
        compiler = _Compiler(channels, kept, size)
        front = [compiler.add(operation) for operation in shared]
        # Random numbers belong to the number of a step, so views have their steps at different
        # places; a flip that never happens fills a place.
        front += [one_step("flip_x", real=[0.0])] * behind
        own = [compiler.add(operation) for operation in view]
        behind += sum(map(len, own))
        plans.append(compiler.plan((*shared, *view), [*front, *own]))
    return tuple(plans)


class _Compiler:
    """Follows the operations of one recipe."""

    def __init__(self, channels: int, kept: str, size: Size | None) -> None:
        self._kept_channels = self._channels = channels
        self._state = RecipeState(kept)
        self._size = size

    def add(self, operation: ReadOperation) -> Steps:
        """Go on behind one more operation, and return its steps; erased values come later."""
        self._state.follow(operation)
        self._size = operation.fixed_size(self._size)
        if isinstance(operation, RandomCrop) and isinstance(operation.fill, tuple):
            self._check_channels(operation, "fill", len(operation.fill))
        elif isinstance(operation, RandomErasing):
            self._check_channels(operation, "value", len(operation.numbers()) or 1)
        elif isinstance(operation, Normalize):
            self._check_channels(operation, "mean and std", len(operation.mean))
        elif isinstance(operation, Grayscale):
            return self._greyscale(operation)
        elif isinstance(operation, ColorJitter) and self._channels == 1:
            # One channel has no colours; behind a Grayscale there may still be three equal ones.
            operation = ColorJitter(operation.brightness, operation.contrast)
        return operation.steps()

    def _check_channels(self, operation: ReadOperation, what: str, count: int) -> None:
        if count not in (1, self._channels):
            raise ArgumentError(
                f"{operation!r}: {what} has {count} numbers, and images have {self._channels} "
                f"channel{'s' * (self._channels > 1)} there: give one number per channel, or one"
            )

    def _greyscale(self, operation: Grayscale) -> Steps:
        if self._channels == 4:
            raise ArgumentError(
                f"{operation!r} has no place for the opacity of images with 4 channels: keep them "
                'with color="RGB", or give RandomGrayscale(1)'
            )
        is_grey = self._channels == 1
        self._channels = operation.num_output_channels
        return NO_STEPS if is_grey else operation.steps()

    def plan(self, operations: tuple[ReadOperation, ...], steps: list[Steps]) -> RecipePlan:
        """Return the outcome."""
        state = self._state
        if state.batch is not None and self._size is None:
            raise ArgumentError(
                f"{state.batch!r} mixes images of one size, and these differ: crop them, or keep "
                "them at one size by store="
            )
        joined = np.concatenate([NO_STEPS, *steps])
        layout = "channels_last" if state.layout is None else state.layout.order
        emit = np.zeros((), EMIT)
        emit["element"], emit["planar"] = ELEMENTS[state.dtype], layout == "NCHW"
        emit["channels"], emit["scaling"] = self._channels, SCALINGS[state.scaling]
        emit["std"] = 1
        if state.normalize is not None:
            for name in ("mean", "std"):
                numbers = getattr(state.normalize, name)
                emit[name] = numbers * 4 if len(numbers) == 1 else _four(numbers, name == "std")
        erase = iter(np.flatnonzero(joined["kind"] == _ERASE))
        for erasing in state.erased:
            joined["value"][next(erase)] = self._written(erasing, emit)
        return RecipePlan(
            operations,
            joined,
            emit,
            self._kept_channels,
            state.kept,
            state.dtype,
            layout,
            self._size,
            state.batch,
        )

    def _written(self, erasing: Erasing, emit: npt.NDArray[np.void]) -> npt.NDArray[np.float32]:
        """Return an erased value in the numbers of the batch, by the arithmetic of pixels."""
        state, operation = self._state, erasing.operation
        with np.errstate(over="ignore"):
            values: npt.NDArray[np.float32] = operation.steps()["value"][0].astype(np.float32)
            if erasing.numbers == "levels" and state.scaling in ("unit", "normalised"):
                values /= np.float32(MOST_LEVELS[state.kept])
            if erasing.numbers != "normalised" and state.normalize is not None:
                values = (values - emit["mean"]) / emit["std"]
        most = _LARGEST.get(state.dtype, _LARGEST["float32"])
        if not (np.abs(values) <= most).all():
            raise ArgumentError(
                f"{operation!r}: its value is beyond the range of {state.dtype} (±{most:,.6g})"
            )
        return values


_ERASE = int(one_step("erase")["kind"][0])


def _four(numbers: tuple[float, ...], is_std: bool) -> tuple[float, ...]:
    """Return four numbers, of which those behind the last channel change nothing."""
    return numbers + (float(is_std),) * (4 - len(numbers))
