"""Pillow: whole images from memory to an array, in the mode asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from decoding import Decode, open_as, serve_decoder
from serve import Settings


def make(settings: Settings, _files: Sequence[bytes]) -> Decode:
    import PIL  # noqa: F401  (not there: said at once)

    def decode(data: bytes) -> Any:
        return np.asarray(open_as(data, settings.color))

    return decode


if __name__ == "__main__":
    serve_decoder(make, package="pillow")
