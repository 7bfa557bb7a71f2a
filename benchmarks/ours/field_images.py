"""Images of the same series as a rival's, into memory that is there already.

paths: the series, (n, t) or (n, channels, t).  options: the ``estimator``, its ``params``;
``batch`` series at a time, or all; ``expected``, what the rival made of the first ones, which ours
must agree with to ``tolerance``; ``passes`` of a round, of which the median counts.
"""

from pathlib import Path
from typing import Any

import numpy as np
from serve import Result, Round, Settings, seconds_of, serve, take_turns


def images_by_series(images: Any, channels: int) -> Any:
    """Return (samples, kinds x channels, m, m) as (samples x channels, kinds, m, m)."""
    samples, planes, size, _ = images.shape
    apart = images.reshape(samples, planes // channels, channels, size, size)
    return apart.swapaxes(1, 2).reshape(-1, planes // channels, size, size)


def difference_to(expected: Path, transform: Any, series: Any) -> float:
    """Return the largest difference to the images (k, kinds, m, m) of the first k series.

    In units of the largest of them, or of 1 if that is less.
    """
    wanted = np.load(expected)
    channels = series.shape[1] if series.ndim == 3 else 1
    cube = series.reshape(len(series), channels, -1)[: -(-len(wanted) // channels)]
    got = images_by_series(transform.transform(cube), channels)[: len(wanted)]
    if got.shape != wanted.shape:
        raise ValueError(f"images of shape {got.shape}, expected {wanted.shape}")
    return float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max()))


def check(settings: Settings, transform: Any, series: Any) -> float | None:
    """Return the difference to the rival's images, None if it made none; raise if it is large."""
    expected = Path(settings.options["expected"])
    if not expected.exists():
        return None
    difference = difference_to(expected, transform, series)
    tolerance = settings.options["tolerance"]
    if not difference <= tolerance:
        raise ValueError(f"other images: they differ by {difference:.3g}, allowed {tolerance:g}")
    return difference


def prepare(settings: Settings) -> Round:
    from fastcache import gaf

    options = settings.options
    series = np.load(settings.paths[0])
    estimator = getattr(gaf, options["estimator"])
    transform = estimator(**options["params"], n_jobs=settings.threads)
    difference = check(settings, transform, series)
    batch = options["batch"] or len(series)
    out = transform.transform(series[:batch])
    parts = [series[first : first + batch] for first in range(0, len(series), batch)]

    def work() -> None:
        for part in parts:
            transform.transform(part, out=out[: len(part)])

    def one_round() -> Result:
        taken = take_turns({"ours": lambda: seconds_of(work)}, options["passes"])
        images = out.size // out.shape[-1] ** 2 * len(series) // batch
        return {"seconds": taken["ours"], "items": images, "difference": difference}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
