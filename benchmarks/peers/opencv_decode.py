"""OpenCV: `imdecode` of whole images from memory, one thread.

It can give RGB; with opacity it gives BGRA only, which is left as it is: turning it would cost it
time. Its Python side allocates each image anew and knows no other way.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from decoding import Decode, serve_decoder
from serve import Settings


def make(settings: Settings, _files: Sequence[bytes]) -> Decode:
    import cv2

    cv2.setNumThreads(settings.threads)
    flag = cv2.IMREAD_COLOR_RGB if settings.color == "RGB" else cv2.IMREAD_UNCHANGED

    def decode(data: bytes) -> Any:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flag)

    return decode


def rgba(pixels: Any) -> Any:
    """Return BGRA as RGBA, and everything else as it is."""
    return pixels[..., [2, 1, 0, 3]] if pixels.shape[2:] == (4,) else pixels


if __name__ == "__main__":
    serve_decoder(make, package="opencv-python-headless", as_compared=rgba)
