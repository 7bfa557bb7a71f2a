"""libjpeg-turbo's own full decode (tjDecompress2, accurate DCT) of JPEGs in memory, one thread.

The system's library through ctypes: about one microsecond a call beside a millisecond of work.
"""

import ctypes
import ctypes.util
from typing import Any

import numpy as np
from serve import NotInstalled, Result, Round, Settings, read_all, serve, timed, touch

_TJPF_RGB = 0
_TJFLAG_ACCURATEDCT = 4096
_MAX_PIXELS = 100_000_000


def load() -> Any:
    """Return the library."""
    name = ctypes.util.find_library("turbojpeg")
    if name is None:
        raise NotInstalled("libturbojpeg (Debian: libturbojpeg0; Fedora: turbojpeg)")
    library = ctypes.CDLL(name)
    library.tjInitDecompress.restype = ctypes.c_void_p
    library.tjGetErrorStr2.restype = ctypes.c_char_p
    library.tjGetErrorStr2.argtypes = [ctypes.c_void_p]
    integer = ctypes.POINTER(ctypes.c_int)
    library.tjDecompressHeader3.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong, integer, integer, integer, integer,
    ]  # fmt: skip
    library.tjDecompress2.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p,
        ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int,
    ]  # fmt: skip
    return library


def prepare(settings: Settings) -> Round:
    library = load()
    handle = library.tjInitDecompress()
    photos = read_all(settings.paths)
    width, height, sampling, space = (ctypes.c_int() for _ in range(4))
    sizes = []
    for photo in photos:
        library.tjDecompressHeader3(handle, photo, len(photo), width, height, sampling, space)
        sizes.append((width.value, height.value))
    room = np.zeros(max(w * h for w, h in sizes) * 3 + 64, np.uint8)
    # 16 past a cache line: libjpeg-turbo streams aligned rows past the cache, and reads them back.
    start = -room.ctypes.data % 64 + 16

    def epoch() -> None:
        for photo in photos:
            # The header again: a decoder that is handed bytes has to read it.
            library.tjDecompressHeader3(handle, photo, len(photo), width, height, sampling, space)
            code = library.tjDecompress2(
                handle, photo, len(photo), room.ctypes.data + start,
                width.value, 0, height.value, _TJPF_RGB, _TJFLAG_ACCURATEDCT,
            )  # fmt: skip
            if code != 0:
                raise RuntimeError(library.tjGetErrorStr2(handle).decode())
            touch(room[start : start + width.value * height.value * 3])

    def one_round() -> Result:
        return {"seconds": timed(epoch)[1], "items": len(photos)}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="")
