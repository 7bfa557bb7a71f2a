"""Opening a dataset of all windows of one long series: seconds, and the memory that it takes.

paths: the series (t,), which is in memory before, as the caller's own array.  options: ``window``.
Needs a process of its own, in which a small dataset has been opened before.
"""

import numpy as np
from resident import peak_growth
from serve import Result, Round, Settings, serve, timed


def prepare(settings: Settings) -> Round:
    import fastcache as fc
    from fastcache.gaf import GramianAngularField

    window = settings.options["window"]

    def opened(series: object) -> fc.ArenaDataset:
        return fc.ArenaDataset(
            fc.sources.Series(series, window=window), transform=GramianAngularField()
        )

    opened(np.arange(2.0 * window))[0]
    series = np.load(settings.paths[0])

    def one_round() -> Result:
        (dataset, seconds), growth, _ = peak_growth(lambda: timed(lambda: opened(series)))
        return {
            "seconds": seconds,
            "items": len(dataset),
            "growth": growth,
            "series": series.nbytes,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
