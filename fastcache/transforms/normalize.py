"""What ``store=`` may be, and its journey through JSON."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from fastcache.errors import ArgumentError
from fastcache.transforms.letter_box import LetterBox
from fastcache.transforms.operation import Operation, ReadOperation
from fastcache.transforms.ops import CenterCrop, Resize
from fastcache.transforms.to_dtype import ToDtype, check_last

_OPERATIONS: dict[str, Callable[..., Operation]] = {
    cls.name: cls for cls in (Resize, CenterCrop, LetterBox, ToDtype)
}


def normalize_store(store: object) -> tuple[Operation, ...]:
    """Return what was given as ``store=`` as a tuple of operations.

    Parameters
    ----------
    store : None, Operation, or list or tuple of such
        torchvision's Resize, CenterCrop and ToDtype, and a Compose of them, are translated: the
        results of the former on PIL images are the same to the pixel. Scaled pixels are the nearest
        to the quotient; torch, which divides in steps, may be one bit off.

    Raises
    ------
    ArgumentError
        For anything else; the message says where callables belong. For a ToDtype that is not last,
        or of a type that arenas do not have. For a Resize with `fast_scale`.
    """
    if store is None:
        return ()
    if isinstance(store, Operation):
        check_last((store,))
        if getattr(store, "fast_scale", False):
            raise ArgumentError(
                f"store={store!r}: what is kept are Pillow's pixels; leave out fast_scale, or give "
                "this Resize as transform="
            )
        return (store,)
    if isinstance(store, ReadOperation):
        raise ArgumentError(
            f"store={store!r}: it differs from read to read, or means batches: give it as "
            f"transform=, and here only {', '.join(_OPERATIONS)}"
        )
    if isinstance(store, list | tuple):
        operations = tuple(operation for part in store for operation in normalize_store(part))
        check_last(operations)
        return operations
    return _from_torchvision(store)


def _from_torchvision(transform: Any) -> tuple[Operation, ...]:
    """Translate by the names of module and class: torchvision is not imported, nor needed."""
    kind = type(transform)
    if kind.__module__.startswith("torchvision.transforms"):
        if kind.__name__ == "Compose":
            return normalize_store(list(transform.transforms))
        if kind.__name__ == "Resize":
            return (Resize(transform.size, transform.interpolation, transform.max_size),)
        if kind.__name__ == "CenterCrop":
            return (CenterCrop(transform.size),)
        if kind.__name__ == "ToDtype":
            return normalize_store(ToDtype(transform.dtype, transform.scale))
    if isinstance(transform, type) and issubclass(transform, Operation):
        raise ArgumentError(f"store={transform.__name__} is the class; give one with its size")
    raise ArgumentError(
        f"store takes operations of fastcache.transforms ({', '.join(_OPERATIONS)}), not "
        f"{transform!r}: give other callables as transform=, which runs on each read"
    )


def store_for_masks(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the same geometry for class indices: nearest filter, own fill, the type they have."""
    return tuple(o.for_mask() for o in operations if not isinstance(o, ToDtype))


def apply_store(operations: Sequence[Operation], image: Image.Image) -> Image.Image:
    """Run the operations on a Pillow image, one after the other."""
    for operation in operations:
        image = operation(image)
    return image


def store_to_json(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """Return the operations as JSON for an arena's catalogue."""
    return [operation.to_json() for operation in operations]


def store_from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Operation, ...]:
    """Return the operations that :func:`store_to_json` wrote.

    Raises
    ------
    ArgumentError
        For an operation that this version does not have.
    """
    operations = []
    for entry in data:
        arguments = dict(entry)
        name = arguments.pop("op", None)
        if name not in _OPERATIONS:
            raise ArgumentError(
                f"operation {name!r} is unknown here (there are {', '.join(_OPERATIONS)}): the "
                "catalogue was written by another version of fastcache"
            )
        operations.append(_OPERATIONS[name](**arguments))
    check_last(operations)
    return tuple(operations)
