"""A batch on its way to ``collate_fn``: gathered already, samples only if somebody looks.

torch asks for samples and hands them to a function that makes a batch of them. Here the batch
comes first. What ``__getitems__`` returns is a list for everybody who treats it as one, with
samples that are cut from the gathered columns on first touch; our collate takes the columns.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, SupportsIndex

import torch

from fastcache.schema import Structure, rebuild


class ArenaSample(tuple[Any, ...]):
    """A sample whose structure is a tuple; a plain tuple in all but name, and once pickled."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)


class ArenaListSample(list[Any]):
    """The same for samples that are lists."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (tuple(self),)


class ArenaDictSample(dict[str, Any]):
    """The same for samples that are dicts."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (list(self.items()),)


class ArenaTensorSample(torch.Tensor):
    """The same for samples that are one tensor each; what is made of it is a plain tensor."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.as_subclass(torch.Tensor).__reduce_ex__(protocol)  # type: ignore[no-untyped-call]


class _Unmade(torch.Tensor):
    """Stands for every sample of a batch of tensors that nobody has looked at.

    torch's functions in C++, ``torch.stack`` say, take a list's elements past its methods. They
    meet this one, which has them wait until the samples are there.
    """

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = [list(arg) if isinstance(arg, ArenaBatch) else arg for arg in args]
        named = {
            name: list(arg) if isinstance(arg, ArenaBatch) else arg
            for name, arg in (kwargs or {}).items()
        }
        return function(*made, **named)


_UNMADE = torch.empty(0).as_subclass(_Unmade)

_KINDS: dict[type, type] = {
    tuple: ArenaSample,
    list: ArenaListSample,
    dict: ArenaDictSample,
}
SAMPLE_TYPES = (*_KINDS.values(), ArenaTensorSample)


def _marked(sample: Any) -> Any:
    """Return a sample as the type by which our collate knows it."""
    if isinstance(sample, torch.Tensor):
        return sample.as_subclass(ArenaTensorSample)
    return _KINDS[type(sample)](sample)


def plain(sample: Any) -> Any:
    """Return one of the sample types as the builtin that it stands for; others as they are."""
    if type(sample) is ArenaTensorSample:
        return sample.as_subclass(torch.Tensor)
    for builtin, kind in _KINDS.items():
        if type(sample) is kind:
            return builtin(sample)
    return sample


def _leaves(sample: Any) -> Iterator[Any]:
    """Walk over the leaves, and over the keys on the way to them."""
    if isinstance(sample, Mapping):
        for key, value in sample.items():
            yield key
            yield from _leaves(value)
    elif isinstance(sample, tuple | list):
        for value in sample:
            yield from _leaves(value)
    else:
        yield sample


class ArenaBatch(list[Any]):
    """The samples of a batch, made when they are looked at.

    Parameters
    ----------
    structure : tuple, list or dict of column names, or the name of one column of tensors
    columns : mapping of str to object
        What the readers' ``gather`` gave.
    picks : mapping of str to callable
        The readers' ``pick``, which cuts samples out of the columns.
    count : int

    Notes
    -----
    The samples' tensors are views of the batch: what is written into them shows in it, and
    collating the samples afterwards gives what it would have given for any list of samples. One
    that is kept keeps the memory of the whole batch; clone it to keep it alone.
    """

    __slots__ = ("_columns", "_filled", "_first", "_handed_out", "_picks", "structure")

    def __init__(
        self,
        structure: Structure,
        columns: Mapping[str, Any],
        picks: Mapping[str, Callable[[Any, int], Any]],
        count: int,
    ) -> None:
        # Placeholders give the list its length; code in C that passes over the methods below
        # meets None, and says so, instead of an empty list that looks like success.
        super().__init__((_UNMADE if isinstance(structure, str) else None,) * count)
        self.structure = structure
        self._columns = columns
        self._picks = picks
        self._filled = False
        self._first: Any = None
        self._handed_out: list[Any] = []

    def columns(self) -> Mapping[str, Any] | None:
        """Return the gathered columns; None if the samples may say something else by now."""
        if self._filled:
            return None
        if self._first is not None:
            now, before = list(_leaves(self._first)), self._handed_out
            if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
                return None
        return self._columns

    def _sample(self, k: int) -> Any:
        columns, picks = self._columns, self._picks
        return rebuild(self.structure, lambda name: picks[name](columns[name], k))

    def _fill(self) -> None:
        """Turn into an ordinary list."""
        if self._filled:
            return
        self._filled = True
        for k in range(list.__len__(self)):
            list.__setitem__(self, k, self._sample(k))
        first = self._first
        if first is not None:  # somebody holds it; a tuple can be exchanged for a plain one
            list.__setitem__(self, 0, first if isinstance(first, list | dict) else plain(first))

    def __getitem__(self, index: Any) -> Any:
        # torch's collate looks at the first sample's type before it calls us: that one look must
        # not make all the others.  Only there the type is ours; whoever goes through the samples
        # gets plain ones, since code that looks for exactly tuple or dict passes over subclasses.
        if type(index) is int and index == 0 and not self._filled and len(self):
            if self._first is None:
                self._first = _marked(self._sample(0))
                self._handed_out = list(_leaves(self._first))
            return self._first
        self._fill()
        return super().__getitem__(index)

    def __radd__(self, before: list[Any]) -> list[Any]:
        return [*before, *self]

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (tuple(self),)


def _filling(name: str) -> Any:
    method = getattr(list, name)

    def call(self: ArenaBatch, *args: Any, **kwargs: Any) -> Any:
        for batch in (self, *args):
            if isinstance(batch, ArenaBatch):  # list's own methods look past ours, in others too
                batch._fill()
        return method(self, *args, **kwargs)

    call.__name__, call.__qualname__ = name, f"ArenaBatch.{name}"
    call.__doc__ = method.__doc__
    return call


# Everything that a list can do but tell its length, allocate itself and be garbage.
for _name in (
    *("__add__", "__contains__", "__delitem__", "__eq__", "__ge__", "__gt__", "__iadd__"),
    *("__imul__", "__iter__", "__le__", "__lt__", "__mul__", "__ne__", "__repr__"),
    *("__reversed__", "__rmul__", "__setitem__", "append", "clear", "copy", "count", "extend"),
    *("index", "insert", "pop", "remove", "reverse", "sort"),
):
    setattr(ArenaBatch, _name, _filling(_name))
