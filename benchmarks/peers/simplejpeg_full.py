"""simplejpeg: full decode of JPEGs in memory into a reused buffer, one thread; no resampling."""

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch


def prepare(settings: Settings) -> Round:
    import simplejpeg

    photos = read_all(settings.paths)
    headers = [simplejpeg.decode_jpeg_header(photo) for photo in photos]
    room = np.zeros(max(height * width for height, width, *_ in headers) * 3, np.uint8)

    def epoch() -> None:
        for photo in photos:
            touch(simplejpeg.decode_jpeg(photo, colorspace="RGB", buffer=room))

    def one_round() -> Result:
        return {"seconds": timed(epoch)[1], "items": len(photos)}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="simplejpeg")
