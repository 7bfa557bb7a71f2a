"""What ``transform=`` may be: what of it runs in C, and what follows in Python."""

from collections.abc import Iterator
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.transforms.chain import AnyCallable, Chain, told
from fastcache.transforms.emitting import Layout
from fastcache.transforms.mixing import BatchOperation
from fastcache.transforms.multi_crop import MultiCrop, split_views
from fastcache.transforms.operation import ReadOperation
from fastcache.transforms.recipe_state import RecipeState
from fastcache.transforms.torchvision_twins import Input, NoTwinError, family, has_hooks, twin_of


def translate(
    transform: object, *, kept: str = "uint8", tensors: bool = False, why_python: str = ""
) -> Chain:
    """Find out which part of a ``transform=`` is a recipe for C.

    Parameters
    ----------
    transform : None, operation, callable, or list or tuple of such
        Classes of torchvision.transforms and its v2 become the operations of the same names, and
        Compose, Identity, ToTensor, PILToTensor, ToImage, ToPureTensor and ConvertImageDtype what
        they mean. The first callable that has no twin here, and everything behind it, stays in
        Python: subclasses, modules with hooks, options that would give other pixels.
    kept : {"uint8", "uint16"}
        Type of the images in the arena.
    tensors : bool
        Whether callables are given tensors (``transform_input="tensor"``), not PIL images.
    why_python : str
        If not empty, the reason for which nothing at all can run in C.

    Returns
    -------
    Chain

    Raises
    ------
    ArgumentError
        For what cannot be called, operations of ours in an order that cannot be or behind a
        callable, and callables behind what is done to batches or views.

    Notes
    -----
    Results are those of torchvision on uint8, within what the operations state: where a chain
    resizes tensors of floats, pixels are still rounded to levels once, and colours are those of
    tensors (on PIL images torchvision turns hues in steps of Pillow's). ToDtype, ConvertImageDtype
    and Normalize count as standing behind a conversion to tensors.
    """
    split = _Splitter(kept, tensors, why_python)
    for part in _parts(transform):
        split.add(part)
    return split.chain()


def describe(
    transform: object, *, kept: str = "uint8", tensors: bool = False, why_python: str = ""
) -> list[str]:
    """Return a line for each part of a transform: whether it runs in C or in Python, and why.

    Parameters and errors are those of :func:`translate`.
    """
    chain = translate(transform, kept=kept, tensors=tensors, why_python=why_python)
    return chain.lines()


def _parts(transform: Any) -> Iterator[Any]:
    """Walk through lists and torchvision's Compose, which mean the same."""
    if transform is None or _is_torch(transform, "Identity"):
        return
    inner = None
    if isinstance(transform, list | tuple):
        inner = transform
    elif type(transform).__name__ == "Compose" and family(transform):
        inner = None if has_hooks(transform) else transform.transforms
    elif _is_torch(transform, "Sequential"):
        inner = transform
    if inner is None:
        yield transform
        return
    for part in inner:
        yield from _parts(part)


def _is_torch(transform: object, name: str) -> bool:
    kind = type(transform)
    known = kind.__module__.startswith("torch.nn.modules.") and kind.__name__ == name
    return known and not has_hooks(transform)


class _Splitter:
    """Takes one part after the other, until one must run in Python."""

    def __init__(self, kept: str, tensors: bool, why_python: str) -> None:
        self._kept = kept
        self._operations: list[ReadOperation] = []
        self._callables: list[AnyCallable] = []
        self._why = why_python
        self._given_tensors = self._tensors = tensors
        self._converters: list[Any] = []  # of torchvision, if what comes next expects their result

    def add(self, part: Any) -> None:
        if isinstance(part, type):
            raise ArgumentError(f"transform={part.__name__} is the class; give an instance of it")
        if not callable(part):
            raise ArgumentError(f"transform={part!r}: give a callable, a list of them, or None")
        if isinstance(part, ReadOperation):
            self._add_ours(part)
        elif self._why or not self._has_twin(part):
            self._callables.append(part)

    def _add_ours(self, operation: ReadOperation) -> None:
        if not self._why and self._is_in_c(operation):
            self._operations.append(operation)
            return
        if not operation.on_images:
            if not self._callables:
                raise ArgumentError(f"{operation!r} runs in C only, which cannot be: {self._why}")
            raise ArgumentError(
                f"{operation!r} runs in C only, and comes after {told(self._callables[0])}, which "
                f"runs in Python ({self._why}): put it before that"
            )
        self._callables.append(operation)

    def _is_in_c(self, operation: ReadOperation) -> bool:
        """Whether an operation can follow in C; what only images of 16 bits lack, Pillow does."""
        try:
            self._state(operation)
        except ArgumentError as error:
            floats = self._state().numbers != "levels"
            if self._kept == "uint8" or floats or not operation.on_images:
                raise
            self._why = str(error)
        return not self._why

    def _state(self, *more: ReadOperation) -> RecipeState:
        """Return what pixels are behind all operations, `more` included; of views, the last's.

        Raises
        ------
        ArgumentError
            If their order cannot be.
        """
        shared, views = split_views([*self._operations, *more])
        for view in views:
            state = RecipeState(self._kept)
            for operation in (*shared, *view):
                state.follow(operation)
        return state

    def _has_twin(self, transform: Any) -> bool:
        """Take the operations that mean the same, or note why there are none."""
        if not family(transform):
            self._why = _why_foreign(transform)
        elif has_hooks(transform):
            self._why = "it has hooks, which may do anything"
        else:
            state = self._state()
            try:
                twins = twin_of(
                    transform, Input(self._tensors, state.numbers, state.dtype, self._kept)
                )
                self._state(*twins)
            except (NoTwinError, ArgumentError) as error:
                self._why = str(error)
            else:
                self._operations += twins
                self._convert(transform)
        return not self._why

    def _convert(self, transform: Any) -> None:
        """Note what makes the kind of tensor that torchvision would hand on here."""
        name = type(transform).__name__
        if name == "ToImage" or (name == "PILToTensor" and not self._tensors):
            self._converters = [transform]
        elif name == "ToPureTensor" and self._is_tv_tensor():
            self._converters.append(transform)
        self._tensors |= name in ("ToImage", "PILToTensor", "ToTensor")

    def _is_tv_tensor(self) -> bool:
        return bool(self._converters) and type(self._converters[-1]).__name__ == "ToImage"

    def chain(self) -> Chain:
        if not self._callables:
            return Chain(tuple(self._operations))
        for operation in self._operations:
            if isinstance(operation, Layout | BatchOperation | MultiCrop):
                what = "views" if isinstance(operation, MultiCrop) else "whole batches"
                raise ArgumentError(
                    f"{told(self._callables[0])} comes after {operation!r}, but runs in Python on "
                    f"single images ({self._why}), and {operation.name} means {what}: leave one of "
                    "them out"
                )
        hands_tensors = self._given_tensors or self._state().numbers != "levels"
        # What C hands on is no tensor, or none of torchvision's, where its callables expect one.
        again = self._converters if not hands_tensors or self._is_tv_tensor() else []
        callables = (*again, *self._callables)
        return Chain(tuple(self._operations), callables, self._why, len(again), hands_tensors)


def _why_foreign(transform: object) -> str:
    for kind in type(transform).__mro__[1:]:
        if kind.__module__.startswith("torchvision.transforms"):
            return f"a class derived from torchvision's {kind.__name__} may do anything"
    return "it is no operation of fastcache.transforms"
