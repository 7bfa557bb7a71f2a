"""Random permutations without a table: any stretch of any epoch's order, at once.

A permutation of ``2**bits`` numbers is a Feistel network: the number is cut in two halves, and each
round adds (xor) a hash of one half to the other, which can be undone whatever the hash is. Numbers
that land at `count` or above are sent through again until they land below: they follow the cycle
that they are on, so what is left is a permutation of ``0..count-1``.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]

_ROUNDS = 8
_FEWEST_BITS = 6  # halves of one or two bits would leave too little for a hash to choose from
_CHUNK = 1 << 14  # numbers at a time: what a round touches then stays in the processor's cache
_LOW_64 = (1 << 64) - 1
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # splitmix64


def _mixed(value: int) -> int:
    """Return 64 bits, each of which depends on all of `value`: the finalizer of splitmix64."""
    value = ((value ^ (value >> 30)) * _FIRST) & _LOW_64
    value = ((value ^ (value >> 27)) * _SECOND) & _LOW_64
    return value ^ (value >> 31)


class Permutation:
    """The numbers 0..count-1 in an order that `key` alone decides.

    Parameters
    ----------
    count : int
        At least 1, at most 2**62.
    *key : int
        Any integers of 64 bits; each of them changes the whole order.

    Notes
    -----
    Takes no memory that grows with `count`. The order is part of what a saved state means, so it
    never changes: a test holds values of it.
    """

    __slots__ = ("_count", "_high", "_keys", "_low")

    def __init__(self, count: int, *key: int) -> None:
        bits = max((count - 1).bit_length(), _FEWEST_BITS)
        self._count = np.uint64(count)
        self._low, self._high = np.uint64(bits // 2), np.uint64(bits - bits // 2)
        state = 0
        for part in key:
            state = _mixed(((state ^ _mixed(part & _LOW_64)) + _STEP) & _LOW_64)
        self._keys = [
            np.uint64(_mixed((state + k * _STEP) & _LOW_64)) for k in range(1, _ROUNDS + 1)
        ]

    def at(self, positions: Ints) -> Ints:
        """Return which numbers stand at these positions, each of 0..count-1."""
        out = np.empty(len(positions), np.int64)
        for start in range(0, len(positions), _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self._of(positions[part].astype(np.uint64)).view(np.int64)
        return out

    def _of(self, numbers: _Words) -> _Words:
        found = self._once(numbers)
        outside = np.flatnonzero(found >= self._count)
        while outside.size:
            again = self._once(found[outside])
            found[outside] = again
            outside = outside[again >= self._count]
        return found

    def _once(self, numbers: _Words) -> _Words:
        """Send numbers through the network once."""
        high, low = numbers >> self._low, numbers & ((_ONE << self._low) - _ONE)
        high_rest, low_rest = _WORD - self._high, _WORD - self._low
        for k in range(0, _ROUNDS, 2):
            low ^= _hash(high, self._keys[k]) >> low_rest
            high ^= _hash(low, self._keys[k + 1]) >> high_rest
        return (high << self._low) | low


_ONE, _WORD = np.uint64(1), np.uint64(64)
_A, _B, _C = np.uint64(30), np.uint64(27), np.uint64(31)
_M, _N = np.uint64(_FIRST), np.uint64(_SECOND)


def _hash(half: _Words, key: np.uint64) -> _Words:
    """Return 64 bits for each half; the top ones are the best. Sums and products wrap around."""
    mixed = half + key
    mixed ^= mixed >> _A
    mixed *= _M
    mixed ^= mixed >> _B
    mixed *= _N
    mixed ^= mixed >> _C
    return mixed
