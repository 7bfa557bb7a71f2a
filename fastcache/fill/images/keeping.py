"""Which samples are kept decoded, which encoded, and which are read from their files.

Chosen once, by the time that a byte of memory saves per epoch, and then static: a cache that
evicts would miss on every sample of an order that visits each once per epoch.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastcache.fill.images.kept import ABSENT, DECODED, ENCODED, Forms

Seconds = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int64]


class Offer(NamedTuple):
    """What keeping each of N samples costs and saves.

    Attributes
    ----------
    decoded_bytes, encoded_bytes : int64 arrays (N,)
        Bytes of its pixels, and of its file.
    decoded_saves, encoded_saves : float64 arrays (N,)
        Seconds of one use that are saved over reading and decoding its file.
    can_be_encoded : bool array (N,)
    """

    decoded_bytes: Bytes
    encoded_bytes: Bytes
    decoded_saves: Seconds
    encoded_saves: Seconds
    can_be_encoded: npt.NDArray[np.bool_]


def choose(offer: Offer, room: int) -> Forms:
    """Return the form of each sample.

    Parameters
    ----------
    offer : Offer
    room : int
        Bytes that all of them together may take.

    Returns
    -------
    uint8 array (N,)
        DECODED, ENCODED or ABSENT.

    Notes
    -----
    A knapsack with two steps per sample: from absent to encoded, and on to decoded. Steps are taken
    in the order of seconds saved per byte (Dantzig's rule), which is optimal but for the last
    sample that no longer fits. Where being encoded on the way would save less per byte than
    being decoded at once does, there is only the one step: steps of a sample always fall in worth.
    """
    forms = np.full(len(offer.decoded_bytes), ABSENT, np.uint8)
    steps = _in_order(offer)
    fits = np.cumsum(steps.size) <= room
    forms[steps.sample[fits]] = steps.form[fits]  # a sample's second step comes after its first
    left = room - int(steps.size[fits].sum())
    rest = np.flatnonzero(~fits & (steps.size <= left))
    smallest = int(steps.size[rest].min(initial=left + 1))
    for k in rest.tolist():
        if left < smallest:
            break
        sample, size = int(steps.sample[k]), int(steps.size[k])
        if size <= left and forms[sample] == steps.before[k]:
            forms[sample] = steps.form[k]
            left -= size
    return forms


class _Steps(NamedTuple):
    """Changes of one sample's form, each array of shape (M,)."""

    sample: npt.NDArray[np.int64]
    before: Forms
    form: Forms
    size: Bytes
    saves: Seconds


def _in_order(offer: Offer) -> _Steps:
    """Return the steps that are worth considering, the best first."""
    encoded = _worth(offer.encoded_saves, offer.encoded_bytes)
    decoded = _worth(offer.decoded_saves, offer.decoded_bytes)
    smaller = offer.encoded_bytes < offer.decoded_bytes
    by_way = offer.can_be_encoded & smaller & (encoded > decoded)
    at_once, twice = np.flatnonzero(~by_way), np.flatnonzero(by_way)
    size, saves = offer.decoded_bytes, offer.decoded_saves
    steps = _joined(
        _one_step(at_once, ABSENT, DECODED, size, saves),
        _one_step(twice, ABSENT, ENCODED, offer.encoded_bytes, offer.encoded_saves),
        _one_step(twice, ENCODED, DECODED, size - offer.encoded_bytes, saves - offer.encoded_saves),
    )
    order = np.argsort(-_worth(steps.saves, steps.size), kind="stable")
    return _Steps._make(part[order] for part in steps)


def _one_step(
    samples: npt.NDArray[np.int64], before: int, form: int, size: Bytes, saves: Seconds
) -> _Steps:
    """Return the same step of some samples; sizes and savings are those of all."""
    count = len(samples)
    return _Steps(
        samples,
        np.full(count, before, np.uint8),
        np.full(count, form, np.uint8),
        size[samples],
        saves[samples],
    )


def _joined(*steps: _Steps) -> _Steps:
    return _Steps._make(np.concatenate(parts) for parts in zip(*steps, strict=True))


def _worth(seconds: Seconds, size: Bytes) -> Seconds:
    worth: Seconds = seconds / np.maximum(size, 1)
    return worth
