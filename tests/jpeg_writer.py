"""A small baseline JPEG encoder whose sampling factors are free.

Pillow writes 4:4:4, 4:2:2 and 4:2:0 only.  Decoders meet 4:4:0, 4:1:1 and stranger files as well;
this writer makes them, so that the decoder under test and Pillow can be shown the same bytes.
It is slow and plain: one block at a time, with the Huffman tables of the standard's annex K.
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Samplings = Sequence[tuple[int, int]]

# Annex K.3: code lengths (how many codes of 1..16 bits) and the symbols in code order.
_DC_BITS = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
_DC_SYMBOLS = list(range(12))
_AC_BITS = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D]
_AC_SYMBOLS = list(
    bytes.fromhex(
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25"
        "262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83"
        "8485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3"
        "d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    )
)


def _zigzag() -> list[int]:
    def key(cell: tuple[int, int]) -> tuple[int, int]:
        y, x = cell
        return y + x, y if (y + x) % 2 else x

    cells = sorted(((y, x) for y in range(8) for x in range(8)), key=key)
    return [8 * y + x for y, x in cells]


_ZIGZAG = _zigzag()
_DCT = np.array(
    [
        [np.sqrt((1 if u == 0 else 2) / 8) * np.cos((2 * x + 1) * u * np.pi / 16) for x in range(8)]
        for u in range(8)
    ]
)


def _codes(bits: Sequence[int], symbols: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Map each symbol to (code, length)."""
    table, code, at = {}, 0, 0
    for length, count in enumerate(bits, start=1):
        for symbol in symbols[at : at + count]:
            table[symbol] = (code, length)
            code += 1
        at += count
        code <<= 1
    return table


_DC_CODES = _codes(_DC_BITS, _DC_SYMBOLS)
_AC_CODES = _codes(_AC_BITS, _AC_SYMBOLS)


class _Bits:
    """Collects bits, most significant first, and stuffs a zero byte after each 0xFF."""

    def __init__(self) -> None:
        self.out = bytearray()
        self._held = 0
        self._count = 0

    def put(self, value: int, length: int) -> None:
        self._held = (self._held << length) | value
        self._count += length
        while self._count >= 8:
            self._count -= 8
            byte = (self._held >> self._count) & 0xFF
            self.out += bytes([byte, 0]) if byte == 0xFF else bytes([byte])
        self._held &= (1 << self._count) - 1

    def align(self) -> None:
        if self._count:
            pad = 8 - self._count
            self.put((1 << pad) - 1, pad)


def _magnitude(value: int) -> tuple[int, int]:
    """Return (bit count, bits) of a coefficient as the standard codes it."""
    length = abs(value).bit_length()
    return length, value if value >= 0 else value + (1 << length) - 1


def _put_block(bits: _Bits, block: npt.NDArray[np.int64], previous: int) -> None:
    zigzagged = [int(block[k]) for k in _ZIGZAG]
    length, value = _magnitude(zigzagged[0] - previous)
    bits.put(*_DC_CODES[length])
    bits.put(value, length)
    run = 0
    last = max((k for k in range(1, 64) if zigzagged[k]), default=0)
    for k in range(1, last + 1):
        if zigzagged[k] == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*_AC_CODES[0xF0])
            run -= 16
        length, value = _magnitude(zigzagged[k])
        bits.put(*_AC_CODES[16 * run + length])
        bits.put(value, length)
        run = 0
    if last < 63:
        bits.put(*_AC_CODES[0])


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _coefficients(
    plane: npt.NDArray[np.float64], rows: int, columns: int, step: int
) -> npt.NDArray[np.int64]:
    """Quantised DCT blocks of a plane, (rows, columns, 64), its edge repeated to fill them."""
    pad = ((0, rows * 8 - plane.shape[0]), (0, columns * 8 - plane.shape[1]))
    full = np.pad(plane, pad, mode="edge") - 128
    blocks = full.reshape(rows, 8, columns, 8).swapaxes(1, 2)
    spectrum = np.rint(_DCT @ blocks @ _DCT.T / step).astype(np.int64)
    return np.clip(spectrum, -1023, 1023).reshape(rows, columns, 64)


def write_jpeg(
    planes: npt.NDArray[np.uint8],
    sampling: Samplings,
    step: int = 8,
    restart_interval: int = 0,
    adobe_transform: int | None = None,
) -> bytes:
    """Encode an image.

    Parameters
    ----------
    planes : uint8 array of shape (H, W, C)
        1, 3 or 4 components, already in the colour space that the file is to hold (YCbCr…).
    sampling : sequence of (int, int)
        Horizontal and vertical sampling factor of each component, 1 to 4.
    step : int
        Quantiser of every coefficient; 1 is nearly lossless.
    restart_interval : int
        MCUs between restart markers; 0: none.
    adobe_transform : int, optional
        Write an Adobe marker with this transform; None: no marker.
    """
    height, width, count = planes.shape
    top_h, top_v = max(h for h, _ in sampling), max(v for _, v in sampling)
    mcu_rows, mcu_columns = -(-height // (8 * top_v)), -(-width // (8 * top_h))
    spectra = []
    for c, (h, v) in enumerate(sampling):
        # Every component's own grid is read by nearest neighbour: any content will do in a test.
        y = np.minimum(np.arange(-(-height * v // top_v)) * top_v // v, height - 1)
        x = np.minimum(np.arange(-(-width * h // top_h)) * top_h // h, width - 1)
        plane = planes[y][:, x, c].astype(np.float64)
        spectra.append(_coefficients(plane, mcu_rows * v, mcu_columns * h, step))

    frame = struct.pack(">BHHB", 8, height, width, count)
    frame += b"".join(bytes([c + 1, h << 4 | v, 0]) for c, (h, v) in enumerate(sampling))
    scan = bytes([count]) + b"".join(bytes([c + 1, 0]) for c in range(count)) + bytes([0, 63, 0])
    head = b"\xff\xd8"
    if adobe_transform is not None:
        head += _segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe_transform))
    head += _segment(0xDB, bytes([0]) + bytes([step] * 64)) + _segment(0xC0, frame)
    head += _segment(0xC4, bytes([0x00, *_DC_BITS, *_DC_SYMBOLS]))
    head += _segment(0xC4, bytes([0x10, *_AC_BITS, *_AC_SYMBOLS]))
    if restart_interval:
        head += _segment(0xDD, struct.pack(">H", restart_interval))
    return head + _segment(0xDA, scan) + _entropy(spectra, sampling, restart_interval) + b"\xff\xd9"


def _entropy(
    spectra: Sequence[npt.NDArray[np.int64]], sampling: Samplings, restart_interval: int
) -> bytes:
    bits, previous = _Bits(), [0] * len(spectra)
    h0, v0 = sampling[0]
    mcu_rows, mcu_columns = spectra[0].shape[0] // v0, spectra[0].shape[1] // h0
    for mcu in range(mcu_rows * mcu_columns):
        if restart_interval and mcu and mcu % restart_interval == 0:
            bits.align()
            bits.out += bytes([0xFF, 0xD0 + (mcu // restart_interval - 1) % 8])
            previous = [0] * len(spectra)
        row, column = divmod(mcu, mcu_columns)
        for c, (h, v) in enumerate(sampling):
            for y in range(row * v, row * v + v):
                for x in range(column * h, column * h + h):
                    block = spectra[c][y, x]
                    _put_block(bits, block, previous[c])
                    previous[c] = int(block[0])
    bits.align()
    return bytes(bits.out)
