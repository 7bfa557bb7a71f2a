"""imagecodecs: one of its functions, on whole images from memory into a reused array.

``settings.function`` is png_decode (libpng), spng_decode (libspng) or webp_decode (libwebp).
"""

from collections.abc import Sequence
from typing import Any

from decoding import Decode, output_arrays, serve_decoder
from serve import Settings


def make(settings: Settings, files: Sequence[bytes]) -> Decode:
    import imagecodecs

    function = getattr(imagecodecs, settings.function)
    outputs = output_arrays(files, settings.color)

    def decode(data: bytes) -> Any:
        return function(data, out=outputs[data])

    return decode


if __name__ == "__main__":
    serve_decoder(make, package="imagecodecs")
