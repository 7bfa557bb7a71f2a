"""SPDL (FFmpeg) from files: decode, short side 256 (swscale's bilinear), centre crop 224.

One thread calls it in a loop; its own pipeline would add threads to the same work.
"""

import numpy as np
from serve import NotInstalled, Result, Round, Settings, read_all, serve, timed, touch

_GEOMETRY = (
    "scale=w='if(gt(iw,ih),-1,256)':h='if(gt(iw,ih),256,-1)':flags=bilinear,"
    "crop=224:224,format=pix_fmts=rgb24"
)


def prepare(settings: Settings) -> Round:
    import spdl.io

    read_all(settings.paths)
    try:
        spdl.io.load_image(settings.paths[0], filter_desc=_GEOMETRY)
    except RuntimeError as error:
        if "Failed to import libspdl" in str(error):
            raise NotInstalled(
                "FFmpeg's shared libraries, which SPDL's wheel does not bring "
                "(Debian: libavcodec59 libavformat59 libavfilter8 libavdevice59)"
            ) from error
        raise
    out = np.zeros((len(settings.paths), 224, 224, 3), np.uint8)

    def epoch() -> None:
        for slot, path in zip(out, settings.paths, strict=True):
            slot[:] = spdl.io.to_numpy(spdl.io.load_image(path, filter_desc=_GEOMETRY))
        touch(out)

    def one_round() -> Result:
        seconds = timed(epoch)[1]
        return {"seconds": seconds, "items": len(out), "mean": float(out.mean())}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="spdl")
