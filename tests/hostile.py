"""Makers of files that are built to waste memory or time, and of files that are no files.

Each bomb is small on disk: what it would become lies in its header or behind its compression.
"""

import struct
import zlib
from collections.abc import Callable

import images
import png_writer

PIECE = 1 << 20  # bytes of zeros that are compressed once and then repeated
SMALL = (40, 56)  # height and width of what the bombs are made of


def deflated_zeros(count: int) -> bytes:
    """Return a zlib stream of `count` zeros, a multiple of `PIECE`, in milliseconds.

    A full flush makes the compressor forget what came before, so that every piece compresses to
    the same bytes; the checksum of zeros is known without adding them up.
    """
    if count % PIECE:
        raise ValueError(f"{count} is no multiple of {PIECE}")
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.flush(zlib.Z_FINISH)[:-4] + struct.pack(">HH", count % 65521, 1)
    return first + piece * (count // PIECE - 1) + end


# ---- JPEG -------------------------------------------------------------------------------------


def jpeg_enormous() -> bytes:
    """Return a JPEG of 65535 x 65535 pixels, it says."""
    return images.with_claimed_size(images.encode(images.photo(*SMALL)), 65535, 65535)


def jpeg_many_scans(progressive: int = 1000) -> bytes:
    """Return a progressive JPEG of so many scans, each of which runs over the whole image."""
    data = images.encode(images.photo(*SMALL), progressive=True)
    return images.with_many_scans(data, progressive)


# ---- PNG --------------------------------------------------------------------------------------


def png(*before: bytes, after: tuple[bytes, ...] = ()) -> bytes:
    """Return a sound RGB PNG with more chunks before and after its pixels."""
    samples = png_writer.random_samples(*SMALL, png_writer.RGB, 8)
    return png_writer.write_png(samples, png_writer.RGB, before=before, after=after)


def png_enormous(height: int = 100_000, width: int = 100_000) -> bytes:
    """Return a PNG whose header claims this size, with a few rows of it."""
    return png_writer.join(
        png_writer.header(height, width, png_writer.RGB, 8),
        *png_writer.image_data(deflated_zeros(PIECE)),
    )


def png_text_bomb(kind: bytes = b"zTXt", count: int = 2 << 30) -> bytes:
    """Return a sound PNG with a compressed text, or colour profile, of `count` zeros."""
    start = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"profile\0\0"}[kind]
    return png(png_writer.chunk(kind, start + deflated_zeros(count)))


def png_many_texts(chunks: int = 1000, count: int = PIECE) -> bytes:
    """Return a sound PNG with many compressed texts, none of which is large by itself."""
    one = png_writer.chunk(b"zTXt", b"Comment\0\0" + deflated_zeros(count))
    return png(*[one] * chunks)


def png_pixel_bomb(count: int = 2 << 30) -> bytes:
    """Return a small PNG whose pixels inflate to `count` bytes, far more than its header says."""
    return png_writer.join(
        png_writer.header(*SMALL, png_writer.RGB, 8),
        *png_writer.image_data(deflated_zeros(count)),
    )


def png_many_chunks(chunks: int = 80_000, name: bytes = b"prVt") -> bytes:
    """Return a sound PNG with very many empty chunks before its pixels.

    As many as the probe follows; Pillow, which more are left to, keeps some 140 bytes of each.
    """
    return png(png_writer.chunk(name) * chunks)


def png_many_parts(chunks: int = 200_000) -> bytes:
    """Return a sound PNG with very many empty IDAT behind the one that holds the pixels."""
    return png(after=(png_writer.chunk(b"IDAT") * chunks,))


# ---- WebP -------------------------------------------------------------------------------------


def webp(**options: object) -> bytes:
    """Return a sound WebP."""
    return images.encode(images.photo(*SMALL), "WEBP", **options)


def webp_enormous_lossy() -> bytes:
    """Return a lossy WebP of 16383 x 16383 pixels, it says."""
    data = bytearray(webp())
    struct.pack_into("<HH", data, data.index(b"\x9d\x01\x2a") + 3, 16383, 16383)
    return bytes(data)


def webp_enormous_lossless() -> bytes:
    """Return a lossless WebP of 16384 x 16384 pixels, it says."""
    data = bytearray(webp(lossless=True))
    at = data.index(b"VP8L") + 9
    kept = struct.unpack_from("<I", data, at)[0] & ~0xFFFFFFF
    struct.pack_into("<I", data, at, kept | 0xFFFFFFF)
    return bytes(data)


def webp_enormous_canvas() -> bytes:
    """Return an extended WebP whose canvas of 2**24 x 2**24 pixels holds a small picture."""
    body = webp()[12:]
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff" * 6
    return b"RIFF" + struct.pack("<I", 4 + len(extended) + len(body)) + b"WEBP" + extended + body


def webp_many_codes(size: int = 1024, groups: int = 1 << 16) -> bytes:
    """Return a sound lossless WebP of one colour that gives every 4 x 4 pixels codes of their own.

    The numbers of the codes are written with two complete codes of 256 symbols of 8 bits, and every
    code has one symbol, so that a pixel takes no bits.
    """
    text = ""  # bits, in the order in which they are read

    def put(value: int, count: int) -> None:
        nonlocal text
        text += f"{value:0{count}b}"[::-1]

    def put_bytes_code(symbols: int) -> None:
        """Write the lengths of a code: 8 for the first 256 symbols, 0 for the others."""
        put(0, 1)
        put(8, 4)  # so many, and four more, lengths of the code of lengths follow
        for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]:  # the third for 0, the twelfth for 8
            put(length, 3)
        put(0, 1)
        text_of_lengths = "1" * 256 + "0" * (symbols - 256)
        put(int(text_of_lengths[::-1], 2), symbols)

    one_symbol = "1000"
    put(0x2F, 8)
    put(size - 1, 14)
    put(size - 1, 14)
    put(0, 1 + 3)  # opaque, version 0
    put(0, 1 + 1)  # no transform, no colour cache
    put(1, 1)  # many codes,
    put(0, 3 + 1)  # one for 4 x 4 pixels; their numbers without a colour cache
    put_bytes_code(256 + 24)  # the low bytes of the numbers, as green
    put_bytes_code(256)  # the high bytes, as red
    text += one_symbol * 3
    blocks = (size + 3) // 4
    numbers = [number % groups for number in range(blocks * blocks)]
    text += "".join(f"{number & 255:08b}{number >> 8:08b}" for number in numbers)
    text += one_symbol * 5 * groups
    text += "0" * (-len(text) % 16)
    data = int(text[::-1], 2).to_bytes(len(text) // 8, "little")
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


# ---- formats that Pillow decodes -----------------------------------------------------------------


def gif_enormous() -> bytes:
    """Return a GIF whose screen claims 65535 x 65535 pixels."""
    data = bytearray(images.encode(images.photo(*SMALL, "P"), "GIF"))
    struct.pack_into("<HH", data, 6, 65535, 65535)
    return bytes(data)


def bmp_enormous() -> bytes:
    """Return a BMP of 100,000 x 100,000 pixels, it says."""
    data = bytearray(images.encode(images.photo(*SMALL), "BMP"))
    struct.pack_into("<ii", data, 18, 100_000, 100_000)
    return bytes(data)


def tiff_enormous() -> bytes:
    """Return a TIFF of 100,000 x 100,000 pixels, it says."""
    tags = [(256, 4, 100_000), (257, 4, 100_000), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, 100_000), (279, 4, 1)]
    directory = struct.pack("<H", len(tags))
    for tag, kind, value in tags:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4)


# ---- all of them ---------------------------------------------------------------------------------

# Files that must be refused, and a word that the reason must hold.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "65535x65535.jpg": (jpeg_enormous, "pixels"),
    "1000-scans.jpg": (jpeg_many_scans, "scans"),
    "100000x100000.png": (png_enormous, "pixels"),
    "16383x16383.webp": (webp_enormous_lossy, "pixels"),
    "16384x16384-lossless.webp": (webp_enormous_lossless, "pixels"),
    "canvas.webp": (webp_enormous_canvas, "pixels"),
    "65536-codes.webp": (webp_many_codes, "prefix codes"),
    "65535x65535.gif": (gif_enormous, "pixels"),
    "100000x100000.bmp": (bmp_enormous, "pixels"),
    "100000x100000.tif": (tiff_enormous, "pixels"),
}
# Files that Pillow may read or refuse, and which cost next to nothing in either case.
JUDGED: dict[str, Callable[[], bytes]] = {
    "2-GB-zTXt.png": png_text_bomb,
    "2-GB-iTXt.png": lambda: png_text_bomb(b"iTXt"),
    "2-GB-iCCP.png": lambda: png_text_bomb(b"iCCP"),
    "1000-zTXt.png": png_many_texts,
    "2-GB-pixels.png": png_pixel_bomb,
    "many-chunks.png": png_many_chunks,
    "many-IDAT.png": png_many_parts,
}
