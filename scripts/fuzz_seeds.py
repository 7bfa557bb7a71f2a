"""Write the files that the tests make into folders by format: where fuzzing starts.

usage: fuzz_seeds.py FOLDER

Each file comes several times with other bytes behind its end, where the fuzz targets read what is
asked for (tests/c/fuzz_choice.h): the whole image, a part of it, another size.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import hostile
import images
import png_writer

LARGEST = 12 << 10  # libFuzzer mutates small inputs far more often
CHOICES = 32  # bytes that the targets read from the end
REQUESTS = 3
SIGNATURES = {b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"RIFF": "webp"}
RANDOM_SEEDS = 200


def png_kinds() -> dict[str, bytes]:
    """Return a PNG of every colour type, depth and interlace, some with transparent colours."""
    extra = {
        png_writer.GREY: png_writer.chunk(b"tRNS", b"\0\1"),
        png_writer.RGB: png_writer.chunk(b"tRNS", b"\0\1\0\2\0\3"),
        png_writer.PALETTE: png_writer.chunk(b"tRNS", bytes(range(0, 256, 16))),
    }
    kinds = {}
    for kind, depth in png_writer.KINDS:
        palette = png_writer.chunk(b"PLTE", png_writer.random_palette(min(1 << depth, 60)))
        needed = [palette] if kind == png_writer.PALETTE else []
        samples = png_writer.random_samples(9, 13, kind, depth, colours=60)
        for interlaced in (False, True):
            for more in ([], [extra[kind]] if kind in extra else []):
                name = f"{kind}-{depth}-{interlaced:d}-{len(more)}"
                kinds[name] = png_writer.write_png(
                    samples, kind, depth, interlaced=interlaced, before=needed + more, sizes=[20]
                )
    return kinds


def webp_kinds() -> dict[str, bytes]:
    """Return a WebP of every way to compress one that Pillow offers."""
    kinds = {}
    for mode in ("RGB", "RGBA"):
        for method in (0, 4, 6):
            for quality in (1, 50, 90):
                options = {"method": method, "quality": quality}
                for lossless in (False, True):
                    kinds[f"{mode}-{method}-{quality}-{lossless:d}"] = images.encode(
                        images.photo(19, 23, mode), "WEBP", lossless=lossless, **options
                    )
        flat = images.photo(33, 40, "P").convert(mode)  # few colours: indices, runs, copies
        kinds[f"{mode}-flat"] = images.encode(flat, "WEBP", lossless=True)
    for orientation in (1, 3, 6):
        kinds[f"exif-{orientation}"] = images.with_png_orientation(
            images.photo(11, 17), orientation, "WEBP"
        )
    kinds["tiny"] = images.encode(images.photo(1, 1), "WEBP")
    for size in (24, 64, 160):
        kinds[f"codes-{size}"] = hostile.webp_many_codes(size, (size // 4) ** 2)
    return kinds


def makers() -> Iterator[tuple[str, bytes]]:
    """Yield (name, file) of everything that a maker of kinds here or in ``images`` returns."""
    for maker in (png_kinds, webp_kinds):
        yield from ((f"{maker.__name__}-{kind}", data) for kind, data in maker().items())
    for maker_name in sorted(name for name in dir(images) if name.endswith("_kinds")):
        for kind, data in getattr(images, maker_name)().items():
            yield f"{maker_name}-{kind}".replace(":", "").replace("/", "-").replace(" ", "_"), data


def folder_of(data: bytes) -> str:
    """Return the format that a file's content claims, in lower case, or "other"."""
    for signature, name in SIGNATURES.items():
        if data.startswith(signature):
            return name
    return "other"


def main() -> None:
    root = Path(sys.argv[1])
    rng = random.Random(0)
    for name, data in makers():
        if len(data) > LARGEST:
            continue
        folder = root / folder_of(data)
        folder.mkdir(parents=True, exist_ok=True)
        for request in range(REQUESTS):
            tail = rng.randbytes(CHOICES) if request else bytes(CHOICES)
            (folder / f"{name}-{request}").write_bytes(data + tail)
    for target in ("resample", "field"):
        folder = root / target
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(RANDOM_SEEDS):
            (folder / f"{number:03d}").write_bytes(rng.randbytes(rng.randrange(40, 300)))
    for folder in sorted(root.iterdir()):
        print(f"{len(list(folder.iterdir()))} seeds in {folder}")


if __name__ == "__main__":
    main()
