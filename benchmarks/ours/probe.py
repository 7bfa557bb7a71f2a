"""Reading the headers of files in page cache: what the plan is made from."""

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed

REPEAT = 10  # 500 headers alone are a few milliseconds


def prepare(settings: Settings) -> Round:
    from fastcache._core import image, jobs
    from fastcache._core.paths import Paths

    read_all(settings.paths)
    paths = settings.paths * REPEAT
    count = len(paths)

    def probe() -> np.ndarray:
        packed = Paths(paths, np.empty(count, np.int64))
        info = np.zeros(count * image.INFO_BYTES, np.uint8)
        status, detail = np.full((2, count), image.PENDING, np.int32)
        jobs.ProbeJob(packed, info, status.view(np.uint8), detail.view(np.uint8)).run()
        return status

    def one_round() -> Result:
        status, seconds = timed(probe)
        if (status != image.OK).any():
            raise RuntimeError(f"{int((status != image.OK).sum())} headers were not read")
        return {"seconds": seconds, "items": count}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
