"""What users give as ``transform``: its steps, and what can be said of them alone."""

from collections.abc import Callable
from typing import Any, TypeAlias

from fastcache.errors import ArgumentError
from fastcache.gaf import SeriesTransform
from fastcache.transforms import translate

Step: TypeAlias = Callable[[Any], Any] | SeriesTransform
Transform: TypeAlias = Step | list[Step] | tuple[Step, ...] | None


def check_transform(name: str, transform: object) -> None:
    """Refuse what cannot be called; transforms of series come first in `transform`."""
    for step in split_series(transform)[1] if name == "transform" else steps_of(transform):
        if isinstance(step, SeriesTransform):
            raise ArgumentError(
                f"{name}={transform!r}: {type(step).__name__} makes images of the arena's series, "
                "so it comes first in transform=, and only once (FieldStack joins several)"
            )
        if isinstance(step, type):
            raise ArgumentError(f"{name}={step.__name__} is the class; give an instance of it")
        if not (step is None or callable(step)):
            raise ArgumentError(f"{name}={step!r}: give a callable, a list of them, or None")
    if name == "transform":
        _check_order(split_series(transform)[1])


def _check_order(steps: list[Any]) -> None:
    """Refuse operations in an order that cannot be, whatever the images are."""
    refused = None
    for kept, tensors in (("uint8", False), ("uint8", True), ("uint16", False), ("uint16", True)):
        try:
            translate(steps, kept=kept, tensors=tensors)
        except ArgumentError as error:  # noqa: PERF203 - four rounds
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def steps_of(transform: Any) -> list[Any]:
    """Return the steps of a transform one by one."""
    if isinstance(transform, list | tuple):
        return list(transform)
    return [] if transform is None else [transform]


def split_series(transform: Any) -> tuple[SeriesTransform | None, list[Any]]:
    """Return what C does to series, if that comes first, and the steps that Python does."""
    steps = steps_of(transform)
    if steps and isinstance(steps[0], SeriesTransform):
        return steps[0], steps[1:]
    return None, steps


def apply_steps(steps: list[Any], value: Any) -> Any:
    """Return what callables make of a value, one after the other."""
    for step in steps:
        value = step(value)
    return value
