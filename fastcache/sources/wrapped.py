"""Any map-style Dataset, read sample by sample."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from fastcache.errors import ArgumentError, DecodeError, NotFrozenError, SchemaError
from fastcache.schema import Field, Image, Mask, Nothing, Ragged, Structure, Text, flatten
from fastcache.sources.base import Feed, Items, Layout, Source, Values
from fastcache.sources.colors import OneColor
from fastcache.sources.leaves import described, fingerprint, fits, joined, leaf, remedy
from fastcache.sources.scan import Scan
from fastcache.sources.steady import REMEDY, check_steady, random_state_kept

_INFER = ("first", "scan")


class Wrapped(Source):
    """Samples of a map-style Dataset: an object with ``__len__`` and ``__getitem__``.

    Parameters
    ----------
    dataset : object
        Returns tensors, arrays, PIL images (modes L, RGB, RGBA, 1, I;16; P is a mask of palette
        indices), int, float, bool, str and None, nested in plain tuples, lists and dicts. Every
        sample must be built alike, each leaf with one type and dtype.
    infer : "first" or "scan"
        "first": the first sample tells what the columns are; arrays must then have one shape.
        "scan": all samples are read once beforehand, so that shapes may differ from sample to
        sample (strings need this); a later read that differs is noticed.
    frozen : bool
        True: do not check whether the Dataset returns the same for the same index. False: up to 16
        samples are read twice, and a difference is refused.
    parallel : bool
        Whether the Dataset may be read from several threads at once.
    color : {"L", "RGB", "RGBA", "I;16"}, optional
        PIL images are converted to this mode as they are read, so their modes may differ. A column
        is one of masks, and stays as it is, if its images are of mode P: the first sample's with
        ``infer="first"``, all of them with ``infer="scan"``.

    Raises
    ------
    ArgumentError
        For an iterable Dataset, one without a length or samples, an unknown `infer`.

    Notes
    -----
    Nothing is read before :meth:`layout`. Global random states are the same before and after it.
    Columns are called by the way to the leaf (``0``, ``1.boxes``), a lone leaf ``value``.
    """

    def __init__(
        self,
        dataset: Any,
        infer: Literal["first", "scan"] = "first",
        frozen: bool = False,
        parallel: bool = False,
        color: str | None = None,
    ) -> None:
        if infer not in _INFER:
            raise ArgumentError(f"infer must be 'first' or 'scan', not {infer!r}")
        self.dataset = dataset
        self._count = _length(dataset)
        self._infer = infer
        self._frozen = frozen
        self._parallel = parallel
        self._colored = OneColor(color)
        self._structure: Structure | None = None
        self._fields: dict[str, Field] = {}
        self._scan: Scan | None = None
        self._layout: Layout | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def parallel(self) -> bool:
        """Whether `read` may be called from several threads at once."""
        return self._parallel

    @property
    def basis(self) -> str:
        """What the sizes are known from, in words for a plan."""
        return "one pass over the Dataset" if self._infer == "scan" else "its first sample"

    def layout(self) -> Layout:
        """Read what tells the columns (once), and check that the Dataset is steady.

        Raises
        ------
        DecodeError
            When the Dataset raises at the sample that must tell the columns.
        SchemaError
            When a sample cannot be kept; the message names it, the column, and what to do.
        NotFrozenError
            When two reads of a sample differ, unless `frozen`.
        """
        if self._layout is None:
            with random_state_kept():
                self._layout = self._explore()
        return self._layout

    def read(self, index: int) -> Mapping[str, Any]:
        """Return a sample's leaves by column; what the Dataset raises passes through.

        PIL images may differ in size from the first one's: ``store`` may make them equal.

        Raises
        ------
        SchemaError
            When the sample does not fit the columns.
        NotFrozenError
            When it is not what the scan saw, unless `frozen`.
        """
        if self._layout is None:
            self.layout()
        leaves = self._leaves(index)
        for name, (field, value) in leaves.items():
            self._check(index, name, field, value)
        return {name: value for name, (_, value) in leaves.items()}

    def _leaves(self, index: int) -> dict[str, tuple[Field, Any]]:
        sample = self.dataset[index]
        try:
            structure, leaves = flatten(sample)
        except SchemaError as error:
            raise SchemaError(f"sample {index}: {error}") from error
        if self._structure is None:
            self._structure = structure
        elif structure != self._structure:
            raise SchemaError(
                f"sample {index} is built differently from the samples before: "
                f"{_short(structure)} instead of {_short(self._structure)}; return one nesting and "
                "one set of keys for every index (a list whose length varies can be a tensor)"
            )
        if not leaves:
            raise SchemaError(
                f"sample {index} is {_short(sample)}: return at least one value for every index"
            )
        told = {name: f"sample {index}, column {name!r}" for name in leaves}
        return {
            name: leaf(self._colored(name, value, told[name]), told[name])
            for name, value in leaves.items()
        }

    def _check(self, index: int, name: str, field: Field, value: Any) -> None:
        expected = self._fields[name]
        what = f"sample {index}, column {name!r}"
        if not fits(expected, field):
            hint = (
                'pass infer="scan" if shapes differ'
                if self._infer == "first" and joined(expected, field)
                else remedy(expected, field, self._colored.color, scanned=self._infer == "scan")
            )
            raise SchemaError(
                f"{what} is {described(field)}, but the column is {described(expected)}: {hint}"
            )
        if self._scan is None:
            return
        if not self._frozen and not self._scan.same(index, name, fingerprint(value)):
            raise NotFrozenError(f"{what}: differs from what the scan read. {REMEDY}")
        if not self._scan.same_shape(index, name, field, value):
            raise SchemaError(
                f"{what} has another shape than when it was scanned: return the same for the same "
                "index"
            )

    def _explore(self) -> Layout:
        self._structure, self._scan = None, None
        self._colored.begin()
        if self._infer == "first":
            try:
                leaves = self._leaves(0)
            except SchemaError:
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                raise DecodeError(
                    f"the Dataset raised at sample 0, which tells what the columns are: {reason}",
                    [("sample 0", reason)],
                ) from error
            self._colored.settle()
            self._fields = {name: field for name, (field, _) in leaves.items()}
            for name, field in self._fields.items():
                if isinstance(field, Text):
                    raise SchemaError(
                        f"column {name!r} holds strings, whose lengths must be known before "
                        'memory is planned: pass infer="scan" (reads every sample once more)'
                    )
        if not self._frozen:
            check_steady(self._values, self._count)
        if self._infer == "scan":
            self._scan = self._scanned()
            self._colored.settle()
            self._fields = self._scan.fields
        assert self._structure is not None
        feeds = {name: self._feed(name, field) for name, field in self._fields.items()}
        return Layout(self._structure, feeds, _attributes(self.dataset))

    def _scanned(self) -> Scan:
        known = len(self._colored.images)
        try:
            return Scan(self._leaves, self._count, self._colored.color)
        except SchemaError:
            if len(self._colored.images) == known:
                raise
        return self._scanned()  # perhaps a palette came first: now that column is known

    def _values(self, index: int) -> dict[str, Any]:
        return {name: value for name, (_, value) in self._leaves(index).items()}

    def _feed(self, name: str, field: Field) -> Feed:
        if isinstance(field, Nothing):
            return Values(np.zeros((self._count, 0), np.uint8), field)
        ragged = isinstance(field, Ragged | Text) or field.row_shape is None
        shapes = self._scan.shapes(name) if ragged and self._scan else None
        return Items(field, shapes, pil=isinstance(field, Image | Mask))


def _length(dataset: Any) -> int:
    if any(kind.__name__ == "IterableDataset" for kind in type(dataset).__mro__):
        raise ArgumentError(
            f"{type(dataset).__name__} is an iterable Dataset: it has no indices to read by. Wrap "
            "a map-style Dataset (with __len__ and __getitem__); list(dataset) makes one"
        )
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise ArgumentError(
            f"{type(dataset).__name__} is no map-style Dataset: __len__ and __getitem__ are needed"
        )
    try:
        count = len(dataset)
    except (TypeError, NotImplementedError) as error:
        raise ArgumentError(f"len() of {type(dataset).__name__} fails: {error}") from error
    if count == 0:
        raise ArgumentError(f"{type(dataset).__name__} is empty: there is nothing to keep")
    return count


def _attributes(dataset: Any) -> dict[str, Any]:
    """Hand on the names of classes where the Dataset has them, as torchvision's do."""
    classes = getattr(dataset, "classes", None)
    named = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    return {"classes": list(classes)} if named and classes else {}


def _short(structure: object) -> str:
    text = repr(structure)
    return text if len(text) <= 120 else f"{text[:117]}..."
