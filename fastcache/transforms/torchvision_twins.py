"""torchvision's transforms as operations of ours, by the names of module and class.

torchvision is not imported, nor needed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fastcache.errors import ArgumentError, FastcacheError
from fastcache.transforms.coloring import ColorJitter, Grayscale, RandomGrayscale
from fastcache.transforms.emitting import Normalize
from fastcache.transforms.erasing import RandomErasing
from fastcache.transforms.flips import RandomHorizontalFlip, RandomVerticalFlip
from fastcache.transforms.mixing import CutMix, MixUp
from fastcache.transforms.operation import ReadOperation
from fastcache.transforms.ops import CenterCrop, Resize
from fastcache.transforms.random_crops import RandomCrop, RandomResizedCrop
from fastcache.transforms.to_dtype import ToDtype

V1, V2 = "torchvision.transforms.transforms", "torchvision.transforms.v2."


class NoTwinError(FastcacheError):
    """There is nothing of ours that means the same; the message says why."""


class Input(NamedTuple):
    """What a transform gets.

    Attributes
    ----------
    tensors : bool
        Whether tensors, not PIL images.
    numbers : str
        As in ``RecipeState.numbers``.
    dtype, kept : str
        Name of their type, and of the pixels' in the arena.
    """

    tensors: bool = False
    numbers: str = "levels"
    dtype: str = "uint8"
    kept: str = "uint8"


def family(transform: object) -> str:
    """Return "v1" or "v2" for an instance of a class of torchvision's own, else ""."""
    module = type(transform).__module__
    if module == V1:
        return "v1"
    return "v2" if module.startswith(V2) else ""


def has_hooks(transform: object) -> bool:
    """Whether somebody has hung functions of their own on a torch module."""
    names = ("_forward_hooks", "_forward_pre_hooks")
    # An own `forward` on the instance has the same effect.
    return any(getattr(transform, name, None) for name in names) or "forward" in vars(transform)


def twin_of(transform: Any, given: Input) -> tuple[ReadOperation, ...]:
    """Return the operations that mean what a transform of torchvision's does to such input.

    Raises
    ------
    NoTwinError
        Where there are none, or they would not mean the same.
    """
    name = type(transform).__name__
    make = _TWINS.get(name)
    if make is None:
        raise NoTwinError(f"{name} is no operation of fastcache.transforms")
    try:
        made = make(transform, given)
    except ArgumentError as error:  # torchvision takes it, we do not
        raise NoTwinError(str(error)) from error
    return () if made is None else (made,)


def _resize(transform: Any, given: Input) -> Resize:
    _check_filter(transform, given)
    size = transform.size
    return Resize(size, transform.interpolation, transform.max_size)


def _random_resized_crop(transform: Any, given: Input) -> RandomResizedCrop:
    _check_filter(transform, given)
    return RandomResizedCrop(
        transform.size, transform.scale, transform.ratio, transform.interpolation
    )


def _check_filter(transform: Any, given: Input) -> None:
    """Refuse what torchvision does to tensors in another way than to PIL images, and we do not."""
    if not given.tensors:
        return
    mode = getattr(transform.interpolation, "value", transform.interpolation)
    if mode in ("nearest", "nearest-exact", 0):
        # Of two that are equally near the exact one takes the other, too.
        raise NoTwinError(
            f'interpolation="{mode or "nearest"}" takes other pixels of tensors than Pillow does: '
            "resize before ToTensor or ToImage"
        )
    if mode in ("bilinear", "bicubic", 2, 3) and not getattr(transform, "antialias", True):
        raise NoTwinError(
            f"antialias={transform.antialias} on tensors: pixels are Pillow's here, which are "
            "always antialiased"
        )


def _random_crop(transform: Any, given: Input) -> RandomCrop:
    padding, fill = transform.padding, transform.fill
    if family(transform) == "v2" and padding is not None:
        left, right, top, bottom = padding
        padding = (left, top, right, bottom)
    mirrors = transform.padding_mode in ("reflect", "symmetric")
    if mirrors and padding and transform.pad_if_needed and family(transform) == "v1":
        raise NoTwinError(
            "padding= and pad_if_needed=: v1 mirrors what it has mirrored already; v2 pads once"
        )
    if isinstance(fill, dict):
        raise NoTwinError("fill= by type of image: give one fill")
    fill = 0 if fill is None else fill
    if given.numbers == "unit":
        # Of what is a share of 1 there the pixel must be whole.
        parts = fill if isinstance(fill, Sequence) else [fill]
        fill = [round(part * 255, 4) for part in parts]
    return RandomCrop(
        transform.size, padding, bool(transform.pad_if_needed), fill, transform.padding_mode
    )


def _jitter(transform: Any, _: Input) -> ColorJitter:
    return ColorJitter(
        transform.brightness, transform.contrast, transform.saturation, transform.hue
    )


def _erasing(transform: Any, _: Input) -> RandomErasing:
    value = "random" if transform.value is None else transform.value
    return RandomErasing(transform.p, transform.scale, transform.ratio, value)


def _normalize(transform: Any, given: Input) -> Normalize:
    if given.dtype in ("float16", "bfloat16"):
        raise NoTwinError(
            f"torchvision normalises {given.dtype} with the rounding of that type: convert to it "
            "after Normalize, which works in float32"
        )
    return Normalize(transform.mean, transform.std)


def _to_dtype(transform: Any, _: Input) -> ToDtype:
    if isinstance(transform.dtype, dict):
        raise NoTwinError("ToDtype by type of image: give one dtype")
    scale = True if type(transform).__name__ == "ConvertImageDtype" else transform.scale
    return ToDtype(transform.dtype, scale)


def _to_tensor(transform: Any, given: Input) -> ToDtype | None:
    if not given.tensors:
        if given.kept != "uint8":
            raise NoTwinError(
                f"ToTensor does not scale {given.kept}: give ToDtype(..., scale=True)"
            )
        return ToDtype("float32", scale=True)
    if family(transform) == "v1":
        raise NoTwinError("ToTensor takes no tensors: leave it out")
    return None


def _to_tensor_of_levels(transform: Any, given: Input) -> None:
    if given.tensors and family(transform) == "v1":
        raise NoTwinError("PILToTensor takes no tensors: leave it out")


def _nothing(_transform: Any, _: Input) -> None:
    return None


def _mix(kind: type[MixUp] | type[CutMix]) -> Callable[[Any, Input], ReadOperation]:
    def make(transform: Any, _: Input) -> ReadOperation:
        getter = getattr(transform, "_labels_getter", None)
        if not str(getattr(getter, "__module__", "")).startswith("torchvision."):
            raise NoTwinError("labels_getter=: the labels are the dataset's here")
        return kind(transform.alpha, transform.num_classes)

    return make


def _random_apply(transform: Any, given: Input) -> ReadOperation:
    """One operation with a probability of its own: both must happen."""
    parts = list(transform.transforms)
    if len(parts) == 1 and family(parts[0]) and not has_hooks(parts[0]):
        part, name = parts[0], type(parts[0]).__name__
        if name in _CHANCES:
            (operation,) = twin_of(part, given)
            chance = transform.p * part.p
            if isinstance(operation, RandomErasing):
                return RandomErasing(chance, operation.scale, operation.ratio, operation.value)
            return type(operation)(chance)  # type: ignore[call-arg]
        if name == "Grayscale" and part.num_output_channels == 3:
            return RandomGrayscale(transform.p)
    raise NoTwinError(
        f"RandomApply runs in C only around one of {', '.join(_CHANCES)} and Grayscale(3)"
    )


_CHANCES = ("RandomHorizontalFlip", "RandomVerticalFlip", "RandomGrayscale", "RandomErasing")
_TWINS: dict[str, Callable[[Any, Input], ReadOperation | None]] = {
    "CenterCrop": lambda t, _: CenterCrop(t.size),
    "ColorJitter": _jitter,
    "ConvertImageDtype": _to_dtype,
    "CutMix": _mix(CutMix),
    "Grayscale": lambda t, _: Grayscale(t.num_output_channels),
    "Identity": _nothing,
    "MixUp": _mix(MixUp),
    "Normalize": _normalize,
    "PILToTensor": _to_tensor_of_levels,
    "RandomApply": _random_apply,
    "RandomCrop": _random_crop,
    "RandomErasing": _erasing,
    "RandomGrayscale": lambda t, _: RandomGrayscale(t.p),
    "RandomHorizontalFlip": lambda t, _: RandomHorizontalFlip(t.p),
    "RandomResizedCrop": _random_resized_crop,
    "RandomVerticalFlip": lambda t, _: RandomVerticalFlip(t.p),
    "Resize": _resize,
    "ToDtype": _to_dtype,
    "ToImage": _nothing,
    "ToPureTensor": _nothing,
    "ToTensor": _to_tensor,
}
