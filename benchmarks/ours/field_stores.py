"""A batch by each kind of store: chosen by the core, through the cache, past it.

options: ``size`` of an image, ``batch`` of them.  ``seconds`` and ``writing`` are those of the work
in C alone; ``reading`` has the batch read once by NumPy in it, as what is trained with it would.
"""

from collections.abc import Callable

import numpy as np
from gaf_inputs import walks
from serve import Result, Round, Settings, seconds_of, serve, take_turns, touch

PASSES_BYTES = 1 << 30  # so much is written in a round by each kind


def prepare(settings: Settings) -> Round:
    from fastcache._core import fields

    size, batch = settings.options["size"], settings.options["batch"]
    series = walks(batch, 1, size)
    out = np.zeros((batch, size, size), np.float32)
    spec = fields.FieldSpec(
        fields.GASF, "float32", size, sample_range=(-1.0, 1.0), out_low=-1.0, out_high=1.0
    )
    kinds = {"auto": fields.AUTO, "cached": fields.CACHED, "streaming": fields.STREAMING}

    def job(store: int) -> fields.FieldJob:
        return fields.FieldJob.of_array(spec, series, "float64", out, planes=1, store=store)

    def writes(store: int) -> Callable[[], float]:
        return lambda: seconds_of(job(store).run)

    def reads(store: int) -> Callable[[], float]:
        return lambda: writes(store)() + seconds_of(lambda: touch(out.view(np.uint8)))

    passes = max(9, min(600, PASSES_BYTES // out.nbytes))
    chosen = {value: name for name, value in kinds.items()}[job(fields.AUTO).store]

    def one_round() -> Result:
        writing = take_turns({name: writes(store) for name, store in kinds.items()}, passes)
        reading = take_turns({name: reads(store) for name, store in kinds.items()}, passes)
        return {
            "seconds": writing["auto"],
            "items": batch,
            "writing": writing,
            "reading": reading,
            "chosen": chosen,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
