"""What runs in C, in words."""

from collections.abc import Sequence

from fastcache.transforms.mixing import BatchOperation
from fastcache.transforms.multi_crop import MultiCrop
from fastcache.transforms.operation import ReadOperation

# By the names of steps.SCALINGS; x is a pixel.
FORMULAS = {
    "plain": "x",
    "unit": "x / {most}",
    "normalised": "(x / {most} - mean) / std",
    "normalised_plain": "(x - mean) / std",
}

_FAST = "JPEG files decoded at 1/2 or 1/4 where that is enough: pixels differ from Pillow's"


def recipe_lines(operations: Sequence[ReadOperation]) -> list[str]:
    """Return what is done to a sample and to a batch, a line for each operation."""
    lines: list[str] = []
    for operation in operations:
        if isinstance(operation, MultiCrop):
            lines.append(f"in C: MultiCrop, {len(operation.views)} views:")
            for number, view in enumerate(operation.views):
                inner = ", ".join(map(_told, view)) or "the image as it is"
                lines.append(f"in C:   view {number}: {inner}")
        else:
            where = "per batch" if isinstance(operation, BatchOperation) else "in C"
            lines.append(f"{where}: {_told(operation)}")
    return lines


def _told(operation: ReadOperation) -> str:
    if getattr(operation, "fast_scale", False):
        return f"{operation!r} ({_FAST})"
    return repr(operation)


def number_line(scaling: str, most: int, dtype: str) -> str:
    """Return how a pixel becomes a number of `dtype`; `most`: the largest pixel there is."""
    formula = FORMULAS[scaling].format(most=most)
    if scaling == "plain" or dtype == "float32":
        return f"numbers: {formula} as {dtype}"
    return f"numbers: {formula} in float32, rounded to {dtype}"
