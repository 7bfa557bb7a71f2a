"""Makers of test images: every kind of file that the package must read, or refuse well.

Everything is a pure function of its arguments, so that a failing case can be made again by hand.
"""

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
from jpeg_writer import write_jpeg
from PIL import Image, features

# Odd, prime and tiny sizes (height, width): block edges and chroma edges fall everywhere.
SIZES = [(1, 1), (1, 17), (17, 1), (7, 5), (8, 8), (16, 16), (31, 47), (64, 48), (101, 97)]
SUBSAMPLINGS = ["4:4:4", "4:2:2", "4:2:0"]
# What Pillow cannot write: sampling factors of the three components.
RARE_SAMPLINGS = {
    "4:4:0": [(1, 2), (1, 1), (1, 1)],
    "4:1:1": [(4, 1), (1, 1), (1, 1)],
    "4:1:0": [(4, 2), (1, 1), (1, 1)],
    "1x4": [(1, 4), (1, 1), (1, 1)],
    "luma-low": [(1, 1), (2, 2), (2, 2)],
    "cb-only": [(2, 2), (1, 1), (2, 2)],
    "mixed": [(2, 2), (2, 1), (1, 2)],
    "4:4:4-as-2x1": [(2, 1), (2, 1), (2, 1)],
}


def same_passes(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether the installed Pillow resamples (H, W) in the core's order of passes.

    Since version 13 Pillow, like the core, shrinks the height first where that saves much work.
    """
    current = int(PIL.__version__.split(".")[0]) >= 13
    return current or before[0] - after[0] <= 2 * (before[1] - after[1])


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return something like a photograph, (H, W, C): slopes, edges and noise."""
    rng = np.random.default_rng((seed, height, width, channels))
    y = np.linspace(0, 1, height)[:, None, None]
    x = np.linspace(0, 1, width)[None, :, None]
    phase = rng.uniform(0, 6, (3, channels))
    waves = np.sin(7 * x + phase[0]) + np.cos(5 * y + phase[1]) + np.sin(23 * x * y + phase[2])
    edges = 60.0 * ((x + y) % 0.3 < 0.1) - 50.0 * ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.06)
    noise = rng.normal(0, 6, (height, width, channels))
    full = 128 + 35 * waves + edges + noise
    return np.clip(full, 0, 255).astype(np.uint8)


def photo(height: int, width: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return :func:`pixels` as a Pillow image of any mode that test files need."""
    if mode in ("RGB", "RGBA", "CMYK", "LA"):
        channels = len(mode)
        return Image.frombytes(mode, (width, height), pixels(height, width, channels, seed))
    grey = pixels(height, width, 1, seed)[:, :, 0]
    if mode == "L":
        return Image.fromarray(grey)
    if mode == "1":
        return Image.fromarray(grey).convert("1")
    if mode == "P":
        return photo(height, width, "RGB", seed).quantize(64)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode in ("I", "F"):
        return Image.fromarray(grey.astype(np.int32 if mode == "I" else np.float32))
    raise ValueError(f"no maker for mode {mode!r}")


def encode(image: Image.Image, fmt: str = "JPEG", **options: object) -> bytes:
    """Return the image as a file's bytes; `options` are those of ``Image.save``."""
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def decoded(data: bytes, mode: str | None = "RGB") -> npt.NDArray[np.uint8]:
    """Return what Pillow makes of the bytes: the oracle."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode) if mode else image)


def with_orientation(image: Image.Image, orientation: int, **options: object) -> bytes:
    """Return a JPEG whose EXIF block holds this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, exif=exif.tobytes(), **options)


def rare_jpeg(sampling: str, height: int = 45, width: int = 61, **options: int) -> bytes:
    """Return a YCbCr JPEG with one of :data:`RARE_SAMPLINGS`."""
    return write_jpeg(pixels(height, width), RARE_SAMPLINGS[sampling], **options)


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end) of a JPEG's marker segments; a scan's data belong to its SOS."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xD9:
        marker = data[at + 1]
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA:
            while end + 1 < len(data) and (
                data[end] != 0xFF or data[end + 1] == 0 or 0xD0 <= data[end + 1] <= 0xD7
            ):
                end += 1
        yield marker, at, end
        at = end


def without_segment(data: bytes, unwanted: int) -> bytes:
    """Return the JPEG without its segments of one marker (0xEE: Adobe)."""
    kept = [data[start:end] for marker, start, end in segments(data) if marker != unwanted]
    return data[:2] + b"".join(kept) + b"\xff\xd9"


def with_adobe_transform(data: bytes, transform: int) -> bytes:
    """Return the JPEG with another transform in its Adobe marker (2 makes CMYK into YCCK)."""
    out = bytearray(data)
    for marker, start, end in segments(data):
        if marker == 0xEE and data[start + 4 : start + 9] == b"Adobe":
            out[end - 1] = transform
            return bytes(out)
    raise ValueError("the JPEG has no Adobe marker")


def with_claimed_size(data: bytes, height: int, width: int) -> bytes:
    """Return the JPEG with another size in its frame header: the start of a bomb."""
    out = bytearray(data)
    for marker, start, _ in segments(data):
        if marker in (0xC0, 0xC1, 0xC2):
            struct.pack_into(">HH", out, start + 5, height, width)
            return bytes(out)
    raise ValueError("the JPEG has no frame header")


def with_many_scans(data: bytes, count: int) -> bytes:
    """Return a progressive JPEG with its last scan repeated until there are `count` scans."""
    scans = [(start, end) for marker, start, end in segments(data) if marker == 0xDA]
    start, end = scans[-1]
    return data[:end] + data[start:end] * (count - len(scans)) + b"\xff\xd9"


def truncated(data: bytes, parts: int = 50) -> list[bytes]:
    """Return the file cut after each of 1/parts, 2/parts… of its bytes."""
    return [data[: len(data) * k // parts] for k in range(1, parts)]


def bit_flipped(data: bytes, flips: int, seed: int) -> bytes:
    """Return the file with some bits turned over, its first 16 bytes spared."""
    out = np.frombuffer(data, np.uint8).copy()
    rng = np.random.default_rng(seed)
    at = rng.integers(16, len(out), flips)
    out[at] ^= (1 << rng.integers(0, 8, flips)).astype(np.uint8)
    return out.tobytes()


def jpeg_kinds() -> dict[str, bytes]:
    """Return one JPEG of every kind that must decode exactly as Pillow decodes it."""
    colour, grey, cmyk = photo(101, 97), photo(101, 97, "L"), photo(43, 59, "CMYK")
    kinds = {f"grey-{h}x{w}": encode(photo(h, w, "L")) for h, w in SIZES}
    for name in SUBSAMPLINGS:
        for h, w in SIZES:
            kinds[f"{name}-{h}x{w}"] = encode(photo(h, w), subsampling=name)
        kinds[f"{name}-progressive"] = encode(colour, subsampling=name, progressive=True)
        kinds[f"{name}-restart"] = encode(colour, subsampling=name, restart_marker_blocks=3)
    for quality in (1, 10, 50, 75, 90, 95, 100):
        kinds[f"quality-{quality}"] = encode(colour, quality=quality)
    for name in RARE_SAMPLINGS:
        kinds[name] = rare_jpeg(name)
        kinds[f"{name}-restart"] = rare_jpeg(name, restart_interval=2)
    for orientation in range(1, 9):
        kinds[f"exif-{orientation}"] = with_orientation(colour, orientation)
    kinds["grey-progressive"] = encode(grey, progressive=True)
    kinds["grey-2x2"] = write_jpeg(pixels(45, 61, 1), [(2, 2)])
    kinds["rgb"] = encode(colour, keep_rgb=True)
    kinds["optimized"] = encode(colour, optimize=True)
    kinds["cmyk"] = encode(cmyk)
    kinds["cmyk-progressive"] = encode(cmyk, progressive=True)
    kinds["cmyk-no-adobe"] = without_segment(encode(cmyk), 0xEE)
    kinds["ycck"] = with_adobe_transform(encode(cmyk), 2)
    kinds["ycck-4:2:0"] = write_jpeg(
        pixels(45, 61, 4), [(2, 2), (1, 1), (1, 1), (2, 2)], adobe_transform=2
    )
    return kinds


def other_kinds() -> dict[str, bytes]:
    """Return files of the other usual formats, by ``format-mode``."""
    kinds = {
        f"png-{mode}": encode(photo(31, 47, mode), "PNG")
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    }
    kinds["png-P-transparent"] = encode(photo(31, 47, "P"), "PNG", transparency=3)
    for fmt in ("WEBP", "GIF", "BMP", "TIFF", "PPM"):
        kinds[f"{fmt.lower()}-RGB"] = encode(photo(31, 47), fmt)
    kinds["webp-lossless"] = encode(photo(31, 47, "RGBA"), "WEBP", lossless=True)
    return kinds


def pillow_blends_16_bits() -> bool:
    """Whether the installed Pillow resamples mode I;16; older ones refuse to."""
    try:
        photo(9, 9, "I;16").resize((5, 5), Image.Resampling.BILINEAR)
    except ValueError:
        return False
    return True


def pillow_kinds() -> dict[str, bytes]:
    """Return files of formats that only Pillow decodes, by its name for them and the mode."""
    Image.init()
    modes = {
        "BMP": ("1", "L", "P", "RGB", "RGBA"),
        "DIB": ("L", "RGB"),
        "GIF": ("L", "P", "RGB"),
        "PPM": ("1", "L", "RGB"),
        "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"),
        "TGA": ("L", "LA", "P", "RGB", "RGBA"),
        "PCX": ("1", "L", "P", "RGB"),
        "ICO": ("RGB", "RGBA"),
        "JPEG2000": ("L", "LA", "RGB", "RGBA"),
        "AVIF": ("L", "RGB", "RGBA"),
    }
    return {
        f"{fmt}-{mode}": encode(photo(32, 32, mode) if fmt == "ICO" else photo(31, 47, mode), fmt)
        for fmt, kinds in modes.items()
        if fmt in Image.SAVE and features.check("jpg_2000" if fmt == "JPEG2000" else "zlib")
        for mode in kinds
    }


def animated_kinds() -> dict[str, bytes]:
    """Return a file of three different frames for every format that can hold them."""
    frames = [photo(31, 47, seed=seed) for seed in range(3)]
    return {
        fmt: encode(frames[0], fmt, save_all=True, append_images=frames[1:], duration=50)
        for fmt in ("GIF", "WEBP", "PNG", "TIFF")
    }


def with_png_orientation(image: Image.Image, orientation: int, fmt: str = "PNG") -> bytes:
    """Return a PNG or WebP whose EXIF block holds this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if fmt == "WEBP" else {}
    return encode(image, fmt, exif=exif.tobytes(), **options)


def broken_kinds() -> dict[str, bytes]:
    """Return files that must be refused or survived, by what is wrong with them."""
    good = encode(photo(101, 97))
    progressive = encode(photo(101, 97), progressive=True)
    return {
        "empty": b"",
        "one-byte": b"\xff",
        "signature-only": good[:4],
        "text": b"This is no image.\n" * 40,
        "zeros": bytes(5000),
        "half": good[: len(good) // 2],
        "half-progressive": progressive[: len(progressive) // 2],
        "no-end": good[:-2],
        "header-only": good[: next(s for m, s, _ in segments(good) if m == 0xDA)],
        "claims-65535": with_claimed_size(good, 65535, 65535),
        "claims-zero": with_claimed_size(good, 0, 97),
        "1000-scans": with_many_scans(progressive, 1000),
        "flipped": bit_flipped(good, 40, seed=1),
        "png-half": encode(photo(31, 47), "PNG")[:900],
    }


def write_class_folder(
    root: Path, classes: int = 3, per_class: int = 4, size: tuple[int, int] = (40, 56)
) -> Path:
    """Write a small class folder of JPEGs and PNGs of slightly different sizes; return `root`."""
    for c in range(classes):
        folder = root / f"class_{c}"
        folder.mkdir(parents=True)
        for k in range(per_class):
            image = photo(size[0] + 3 * k, size[1] + 5 * c, seed=100 * c + k)
            fmt, suffix = ("PNG", "png") if k % 4 == 3 else ("JPEG", "jpg")
            (folder / f"{k:03d}.{suffix}").write_bytes(encode(image, fmt))
    return root


def write_bad_class_folder(root: Path) -> Path:
    """Write a class folder in which good files stand beside everything that can go wrong."""
    write_class_folder(root, classes=2)
    bad = root / "class_1"
    for name, data in broken_kinds().items():
        (bad / f"bad-{name}.jpg").write_bytes(data)
    (bad / "folder.jpg").mkdir()
    (bad / "png-inside.jpg").write_bytes(encode(photo(31, 47), "PNG"))
    os.symlink("nowhere.jpg", bad / "dangling.jpg")
    os.symlink("loop.jpg", bad / "loop.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(bad / "fifo.jpg")
    return root
