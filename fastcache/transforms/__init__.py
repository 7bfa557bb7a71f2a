"""Operations on images, with torchvision's names and meaning; sizes are (height, width).

``store=`` takes these and nothing else: their geometry is known before an image is read, so that
memory can be planned and the C core can decode straight into its place.
"""

from fastcache.transforms.geometry import GEOMETRY, StorePlan, compile_store
from fastcache.transforms.letter_box import LetterBox
from fastcache.transforms.normalize import (
    apply_store,
    normalize_store,
    store_for_masks,
    store_from_json,
    store_to_json,
)
from fastcache.transforms.operation import FILTERS, Operation
from fastcache.transforms.ops import CenterCrop, Resize
from fastcache.transforms.to_dtype import ToDtype, conversion_of

__all__ = [
    "FILTERS",
    "GEOMETRY",
    "CenterCrop",
    "LetterBox",
    "Operation",
    "Resize",
    "StorePlan",
    "ToDtype",
    "apply_store",
    "compile_store",
    "conversion_of",
    "normalize_store",
    "store_for_masks",
    "store_from_json",
    "store_to_json",
]
