"""A program: Pillow, OpenCV and fastcache in one process, all decoding at once in threads.

usage: neighbours.py alone FOLDER LIBRARY             decode every file, keep the pixels beside it
       neighbours.py together FOLDER LIBRARY...       in 8 threads, against the pixels kept
       neighbours.py together-global FOLDER LIBRARY...   the same, all symbols visible to everybody

Libraries are imported in the order given: PIL, cv2, fastcache.
"""

import importlib
import io
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
THREADS = 8
ROUNDS = 6


def decode_with_pillow(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def decode_with_opencv(data: bytes) -> Pixels:
    import cv2

    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def decode_with_fastcache(data: bytes) -> Pixels:
    from fastcache._core import image as core
    from fastcache.fill.images.file_table import INFO_DTYPE
    from fastcache.transforms import GEOMETRY

    info = np.zeros(1, INFO_DTYPE)
    core.probe_bytes(data, info.view(np.uint8))
    height, width = int(info["height"][0]), int(info["width"][0])
    geometry = np.zeros(1, GEOMETRY)
    for part in ("src", "crop", "size", "out"):
        geometry[f"{part}_h"], geometry[f"{part}_w"] = height, width
    out = np.empty((height, width, 3), np.uint8)
    spec = core.Spec(channels=3)
    answer = core.Decoder().decode(data, spec, geometry.view(np.uint8), out.reshape(-1))
    if answer[0] != core.OK:
        raise RuntimeError(core.describe(*answer))
    return out


DECODERS: dict[str, Callable[[bytes], Pixels]] = {
    "PIL": decode_with_pillow,
    "cv2": decode_with_opencv,
    "fastcache": decode_with_fastcache,
}


def kept(file: Path, library: str) -> Path:
    return file.with_name(f"{file.name}.{library}.npy")


def alone(files: list[Path], library: str) -> None:
    for file in files:
        np.save(kept(file, library), DECODERS[library](file.read_bytes()))


def together(files: list[Path], libraries: list[str]) -> None:
    work = [
        (f"{library} on {file.name}", DECODERS[library], file.read_bytes(), kept(file, library))
        for file in files
        for library in libraries
    ]
    expected = [np.load(path) for _, _, _, path in work]
    wrong: list[str] = []
    start = threading.Barrier(THREADS)

    def run(first: int) -> None:
        start.wait()
        for k in range(first, first + ROUNDS * len(work)):
            name, decode, data, _ = work[k % len(work)]
            try:
                same = np.array_equal(decode(data), expected[k % len(work)])
            except Exception as error:  # noqa: BLE001 - in a thread: told in `wrong`
                wrong.append(f"{name}: {error!r}")
            else:
                if not same:
                    wrong.append(f"{name}: other pixels than alone")

    threads = [threading.Thread(target=run, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        sys.exit("\n".join(sorted(set(wrong))))
    print(THREADS * ROUNDS * len(work), "decodes")


def main() -> None:
    how, folder, *libraries = sys.argv[1:]
    if how == "together-global":
        sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
    for library in libraries:
        importlib.import_module("fastcache._core.image" if library == "fastcache" else library)
    files = [path for path in sorted(Path(folder).iterdir()) if path.suffix != ".npy"]
    if how == "alone":
        alone(files, *libraries)
    else:
        together(files, libraries)


if __name__ == "__main__":
    main()
