"""Where samples come from. A source knows its columns and nothing of memory.

A new kind of input is one class derived from :class:`Source`, in a file of its own.
"""

from fastcache.sources.arrays import Arrays
from fastcache.sources.base import ImageFiles, Items, Layout, Source, Values
from fastcache.sources.choose import as_source
from fastcache.sources.class_folder import ClassFolder
from fastcache.sources.coco import Coco
from fastcache.sources.files import Files
from fastcache.sources.pairs import Pairs
from fastcache.sources.series import Series
from fastcache.sources.walk import IMG_EXTENSIONS
from fastcache.sources.wrapped import Wrapped
from fastcache.sources.yolo import Yolo

__all__ = [
    "IMG_EXTENSIONS",
    "Arrays",
    "ClassFolder",
    "Coco",
    "Files",
    "ImageFiles",
    "Items",
    "Layout",
    "Pairs",
    "Series",
    "Source",
    "Values",
    "Wrapped",
    "Yolo",
    "as_source",
]
