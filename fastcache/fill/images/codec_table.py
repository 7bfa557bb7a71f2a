"""Which decoders there are, as users ask for them."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import overload

import numpy as np
import PIL
from PIL import features

from fastcache._core import image as core
from fastcache.fill.images.formats import NPY, allowed

# Pillow's names: format to the library inside it that decodes it.
_LIBRARIES = {
    "JPEG": ("libjpeg", "jpg"),
    "PNG": ("zlib", "zlib"),
    "WEBP": ("libwebp", "webp"),
    "TIFF": ("libtiff", "libtiff"),
    "JPEG2000": ("OpenJPEG", "jpg_2000"),
    "AVIF": ("libavif", "avif"),
}
# What some builds have in the place of one of these.
_INSTEAD = {"jpg": ("libjpeg-turbo", "libjpeg_turbo"), "zlib": ("zlib-ng", "zlib_ng")}


@dataclass(frozen=True)
class Codec:
    """One way in which files of a format are decoded.

    Attributes
    ----------
    format : str
        As Pillow calls it, or "NPY".
    by : {"C", "Pillow", "NumPy"}
        Who is asked: what a report counts as ``decoded_in_c``, ``through_pillow`` and
        ``through_numpy``. C comes first; what it leaves (rare kinds, odd metadata) goes to Pillow.
    library : str
        Whose decoder does it; "" for Pillow's own.
    version : str
        Of that library as loaded into this process; of Pillow where the decoder is its own.
    simd : str
        For C: the instruction set that fastcache's own part uses. Else "".
    """

    format: str
    by: str
    library: str
    version: str
    simd: str


class CodecTable(Sequence[Codec]):
    """Codecs in the order in which they are asked; prints as a table."""

    def __init__(self, codecs: Sequence[Codec]) -> None:
        self._codecs = tuple(codecs)

    @overload
    def __getitem__(self, index: int) -> Codec: ...
    @overload
    def __getitem__(self, index: slice) -> "CodecTable": ...
    def __getitem__(self, index: int | slice) -> "Codec | CodecTable":
        found = self._codecs[index]
        return CodecTable(found) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self._codecs)

    def __str__(self) -> str:
        rows = [tuple(field.name for field in fields(Codec)), *map(astuple, self._codecs)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(f"{cell:<{n}}" for cell, n in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    __repr__ = __str__


def codecs() -> CodecTable:
    """Return what is decoded by whom: formats, libraries, their versions, SIMD paths.

    Returns
    -------
    CodecTable
        A read-only sequence of :class:`Codec`, which prints as a table. Each has ``format`` (as
        Pillow calls it, or "NPY"), ``by`` ("C", "Pillow" or "NumPy"), ``library`` and ``version``
        (the decoder's as loaded into this process; without a library it is Pillow's own), ``simd``
        (the instruction set that the C core uses, "" for others). First come those in C, then the
        formats that the installed Pillow decodes and fastcache allows (``extra_formats=`` allows
        more), then .npy files. A format that C and Pillow both decode stands there twice: what C
        leaves of it goes to Pillow.

    Examples
    --------
    >>> import fastcache as fc
    >>> [codec.by for codec in fc.codecs() if codec.format == "JPEG"]
    ['C', 'Pillow']
    """
    return CodecTable([*_in_c(), *_in_pillow(), Codec(NPY, "NumPy", "NumPy", np.__version__, "")])


def _in_c() -> Iterator[Codec]:
    simd = core.cpu_name()
    for name, library, version in core.codec_list():
        yield Codec(name.upper(), "C", library, version, simd)


def _in_pillow() -> Iterator[Codec]:
    for name in allowed():
        library, feature = _LIBRARIES.get(name, ("", ""))
        if not feature:
            yield Codec(name, "Pillow", "", PIL.__version__, "")
        elif features.check(feature):
            other, better = _INSTEAD.get(feature, ("", ""))
            if better in features.features and features.check(better):  # old ones know it not
                library, feature = other, better
            yield Codec(name, "Pillow", library, features.version(feature) or "", "")
