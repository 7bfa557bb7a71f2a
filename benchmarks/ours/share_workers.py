"""PSS of a training process and its four DataLoader workers, after an epoch; see `sharing`.

options: ``method``, how workers are started, and ``data``: whether the arena holds all rows, or as
many as one batch, which stand for all of them.  Needs a process of its own.
"""

import os

from proportional import family, pss
from serve import Result, Round, Settings, read_all, serve
from sharing import read_epoch, settled, shared_photos

WORKERS = 4


def prepare(settings: Settings) -> Round:
    import fastcache as fc  # noqa: F401  (before anything is measured)

    read_all(settings.paths)
    method = settings.options["method"]

    def one_round() -> Result:
        dataset = shared_photos(settings)
        kept = read_epoch(dataset, settings.rows, WORKERS, method)
        members = family(os.getpid())
        result = {
            "pss": settled(lambda: pss(members)),
            "processes": len(members),
            "arena": dataset.report["arena_bytes"],
        }
        del kept
        dataset.close()
        return result

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
