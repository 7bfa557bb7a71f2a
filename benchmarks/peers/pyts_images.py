"""pyts: images of series as a loop over its ``transform``, compiled before the clock starts.

paths: the series, (n, t) or (n, channels, t), which it gets as (n x channels, t).  options: the
``estimator``; ``calls``, the parameters of each of its transforms; ``batch`` series at a time, or
all; ``expected``, where to put what it makes of the first ``few`` series.  It has no ``out=``: each
result is memory of its own, let go before the next, and there before the clock starts as far as the
system is concerned (see `wake`).
"""

from pathlib import Path

import numpy as np
from resident import wake
from serve import Result, Round, Settings, serve, timed


def prepare(settings: Settings) -> Round:
    from pyts import image

    options = settings.options
    stored = np.load(settings.paths[0])
    series = stored.reshape(-1, stored.shape[-1])
    transforms = [getattr(image, options["estimator"])(**call) for call in options["calls"]]
    first = [transform.transform(series[: options["few"]]) for transform in transforms]
    expected = Path(options["expected"])
    if not expected.exists():
        np.save(expected, np.stack(first, axis=1))
    batch = options["batch"] or len(series)

    def work() -> None:
        for transform in transforms:
            for start in range(0, len(series), batch):
                transform.transform(series[start : start + batch])

    needs = max(images[0].nbytes for images in first) * min(batch, len(series))

    def one_round() -> Result:
        wake(needs)
        return {"seconds": timed(work)[1], "items": len(series) * len(transforms)}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="pyts")
