"""Operations on images, with torchvision's names and meaning; sizes are (height, width).

``store=`` takes Resize, CenterCrop, LetterBox and ToDtype and nothing else: their geometry is known
before an image is read, so that memory can be planned and the C core can decode straight into its
place. ``transform=`` takes all of them, and the C core runs them on each read.
"""

from fastcache.transforms.chain import Chain
from fastcache.transforms.coloring import ColorJitter, Grayscale, RandomGrayscale
from fastcache.transforms.compiling import compile_recipe, compile_recipes
from fastcache.transforms.emitting import Layout, Normalize
from fastcache.transforms.erasing import RandomErasing
from fastcache.transforms.flips import RandomHorizontalFlip, RandomVerticalFlip
from fastcache.transforms.geometry import GEOMETRY, StorePlan, compile_store
from fastcache.transforms.letter_box import LetterBox
from fastcache.transforms.mixing import BatchOperation, CutMix, MixUp
from fastcache.transforms.multi_crop import MultiCrop
from fastcache.transforms.normalize import (
    apply_store,
    normalize_store,
    store_for_masks,
    store_from_json,
    store_to_json,
)
from fastcache.transforms.operation import FILTERS, Operation, ReadOperation
from fastcache.transforms.ops import CenterCrop, Resize
from fastcache.transforms.random_crops import RandomCrop, RandomResizedCrop
from fastcache.transforms.recipe_plan import RecipePlan
from fastcache.transforms.to_dtype import ToDtype, conversion_of
from fastcache.transforms.translating import describe, translate

__all__ = [
    "FILTERS",
    "GEOMETRY",
    "BatchOperation",
    "CenterCrop",
    "Chain",
    "ColorJitter",
    "CutMix",
    "Grayscale",
    "Layout",
    "LetterBox",
    "MixUp",
    "MultiCrop",
    "Normalize",
    "Operation",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomVerticalFlip",
    "ReadOperation",
    "RecipePlan",
    "Resize",
    "StorePlan",
    "ToDtype",
    "apply_store",
    "compile_recipe",
    "compile_recipes",
    "compile_store",
    "conversion_of",
    "describe",
    "normalize_store",
    "store_for_masks",
    "store_from_json",
    "store_to_json",
    "translate",
]
