"""Which operation may follow which, and what pixels have become on the way."""

from dataclasses import dataclass, field
from typing import NamedTuple

from fastcache.errors import ArgumentError
from fastcache.transforms.coloring import ColorJitter, Grayscale, RandomGrayscale
from fastcache.transforms.emitting import Layout, Normalize
from fastcache.transforms.erasing import RandomErasing
from fastcache.transforms.mixing import BatchOperation, MixUp
from fastcache.transforms.operation import ReadOperation
from fastcache.transforms.random_crops import RandomCrop
from fastcache.transforms.steps import ELEMENTS, MOST_COLOURS, MOST_ERASED, MOST_STAGES
from fastcache.transforms.to_dtype import ToDtype

MOST_LEVELS = {"uint8": 255, "uint16": 65535}  # of the pixels that C can make batches of


class Erasing(NamedTuple):
    """A RandomErasing, and what numbers mean where it stands (as ``RecipeState.numbers``)."""

    operation: RandomErasing
    numbers: str


@dataclass
class RecipeState:
    """What has become of pixels after the operations so far.

    Attributes
    ----------
    kept, dtype : str
        Type of the pixels in the arena, and of the numbers that they have become.
    numbers : {"levels", "plain", "unit", "normalised"}
        Whole levels of pixels; the same as floats; shares of the largest level; normalised ones.
    scaling : str
        A name of :data:`~fastcache.transforms.steps.SCALINGS`.
    floats, normalize, layout, batch : operation or None
        What made floats first, and what else was there.
    erased : list of Erasing
    """

    kept: str = "uint8"
    dtype: str = ""
    numbers: str = "levels"
    scaling: str = "plain"
    floats: ReadOperation | None = None
    normalize: Normalize | None = None
    layout: Layout | None = None
    batch: BatchOperation | None = None
    erased: list[Erasing] = field(default_factory=list)
    _resamplings: int = 0
    _colours: int = 0

    def __post_init__(self) -> None:
        self.dtype = self.dtype or self.kept

    def follow(self, operation: ReadOperation) -> None:
        """Go on behind one more operation.

        Raises
        ------
        ArgumentError
            If it may not stand here; the message says where it may.
        """
        self._check_end(operation)
        if isinstance(operation, ToDtype):
            self._to_dtype(operation)
        elif isinstance(operation, Normalize):
            self._normalize(operation)
        elif isinstance(operation, Layout):
            self.layout = operation
        elif isinstance(operation, BatchOperation):
            self._mix(operation)
        elif isinstance(operation, RandomErasing):
            self._erase(operation)
        elif isinstance(operation, ColorJitter | Grayscale | RandomGrayscale):
            self._colour(operation)
        else:
            self._geometry(operation)

    def _check_end(self, operation: ReadOperation) -> None:
        """Refuse what follows on operations that mean batches."""
        if isinstance(operation, Layout) and self.layout is not None:
            raise ArgumentError(f"{operation!r} comes after {self.layout!r}: give one, at the end")
        if isinstance(operation, BatchOperation) and self.batch is not None:
            raise ArgumentError(f"{operation!r} comes after {self.batch!r}: a batch is mixed once")
        if isinstance(operation, Layout | BatchOperation):
            return
        for last, what in ((self.layout, "arranges"), (self.batch, "mixes")):
            if last is not None:
                raise ArgumentError(
                    f"{operation!r} comes after {last!r}, which {what} whole batches: put "
                    f"{last.name} last"
                )

    def _to_dtype(self, operation: ToDtype) -> None:
        wanted = operation.dtype
        if wanted not in ELEMENTS:
            raise ArgumentError(
                f"{operation!r}: batches of pixels are uint8, float32, float16 or bfloat16: give "
                "one of these, or call .double() on batches"
            )
        if wanted == "uint8":
            if self.floats is not None:
                raise ArgumentError(
                    f"{operation!r} comes after {self.floats!r}, which made floats of the pixels: "
                    "leave one of them out"
                )
            if self.kept != "uint8":
                raise ArgumentError(
                    f"{operation!r}: pixels are kept as {self.kept}, which would not fit: give "
                    "float32, with scale=True for shares of 1"
                )
            return
        if self.floats is None:
            self._no_noise(operation)
            self.floats = operation
            self.numbers = self.scaling = "unit" if operation.scale else "plain"
        elif self.dtype not in ("float32", wanted):
            raise ArgumentError(
                f"{operation!r} would widen numbers that {self.dtype} has rounded: leave out the "
                f"ToDtype that made {self.dtype}"
            )
        self.dtype = wanted

    def _normalize(self, operation: Normalize) -> None:
        if self.normalize is not None:
            raise ArgumentError(
                f"{operation!r} comes after {self.normalize!r}: give one Normalize, with mean and "
                "std of both"
            )
        self._no_noise(operation)
        plain = self.numbers == "plain"
        if self.floats is None:
            self.floats, self.dtype = operation, "float32"
        self.normalize, self.numbers = operation, "normalised"
        self.scaling = "normalised_plain" if plain else "normalised"

    def _no_noise(self, operation: ReadOperation) -> None:
        for erasing in self.erased:
            if erasing.operation.is_noise:
                raise ArgumentError(
                    f"{operation!r} comes after {erasing.operation!r}, whose numbers from N(0, 1) "
                    f"are those of the batch: put RandomErasing behind {operation.name}"
                )

    def _mix(self, operation: BatchOperation) -> None:
        if isinstance(operation, MixUp) and self.floats is None:
            raise ArgumentError(
                f"{operation!r} blends floats, and pixels are {self.dtype} there: put "
                'ToDtype("float32", scale=True) or Normalize before it'
            )
        self.batch = operation

    def _erase(self, operation: RandomErasing) -> None:
        if len(self.erased) == MOST_ERASED:
            raise ArgumentError(f"{operation!r}: there are {MOST_ERASED} before it, which is most")
        if self.numbers == "levels":
            if operation.is_noise:
                raise ArgumentError(
                    f"{operation!r} writes numbers from N(0, 1), and pixels are {self.dtype} "
                    "there: put it behind ToDtype or Normalize"
                )
            most = MOST_LEVELS[self.kept]
            for value in operation.numbers():
                if not (value.is_integer() and 0 <= value <= most):
                    raise ArgumentError(
                        f"{operation!r}: {value:g} is no {self.dtype}, which pixels are there: "
                        f"give whole numbers from 0 to {most}, or put it behind ToDtype or "
                        "Normalize"
                    )
        self.erased.append(Erasing(operation, self.numbers))

    def _colour(self, operation: ReadOperation) -> None:
        if self.floats is not None:
            raise ArgumentError(
                f"{operation!r} comes after {self.floats!r}, and colours are changed while they "
                f"are pixels: put {operation.name} before {self.floats.name}"
            )
        self._not_erased(operation)
        if self.kept != "uint8":
            raise ArgumentError(f"{operation!r}: only uint8 has colours; pixels are {self.kept}")
        self._colours += operation.changes if isinstance(operation, ColorJitter) else 1
        if self._colours > MOST_COLOURS:
            raise ArgumentError(
                f"{operation!r}: {self._colours} changes of colour follow each other, and "
                f"{MOST_COLOURS} is most: leave one out"
            )

    def _geometry(self, operation: ReadOperation) -> None:
        if self.normalize is not None:
            raise ArgumentError(
                f"{operation!r} comes after {self.normalize!r}, and pixels are moved before they "
                f"become such numbers: put {operation.name} before Normalize"
            )
        mirrors = isinstance(operation, RandomCrop) and operation.padding_mode != "constant"
        if operation.resamples or mirrors:
            self._not_erased(operation)
        if self.kept != "uint8" and getattr(operation, "fill", 0) != 0:
            raise ArgumentError(f"{operation!r}: padding of {self.kept} is 0 or mirrored: fill=0")
        if not operation.resamples:
            return
        # Pillow blends no 16-bit pixels either; "nearest" does not blend.
        if self.kept != "uint8" and getattr(operation, "interpolation", "") != "nearest":
            raise ArgumentError(
                f"{operation!r}: pixels are {self.kept}, which C does not blend: give "
                'interpolation="nearest", or resize in store='
            )
        self._colours = 0  # they are done before pixels are resampled once more
        self._resamplings += 1
        if self._resamplings > MOST_STAGES:
            raise ArgumentError(
                f"{operation!r}: pixels would be resampled {self._resamplings} times, and "
                f"{MOST_STAGES} is most: leave one out"
            )

    def _not_erased(self, operation: ReadOperation) -> None:
        if self.erased:
            raise ArgumentError(
                f"{operation!r} comes after {self.erased[-1].operation!r}, and what is erased is "
                f"part of the result: put RandomErasing behind {operation.name}"
            )
