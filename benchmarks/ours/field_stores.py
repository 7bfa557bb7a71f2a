"""A batch by each kind of store: chosen by the core, through the cache, past it.

options: ``size`` of an image, ``batch`` of them.  ``seconds`` and ``writing`` are those of the work
in C alone; ``reading`` has the batch read once by NumPy in it, as what is trained with it would.
Each kind has a batch of its own: what streaming leaves in the cache must not burden the others.
"""

from collections.abc import Callable

import numpy as np
from gaf_inputs import walks
from serve import Result, Round, Settings, seconds_of, serve, take_turns, touch

PASSES_BYTES = 1 << 30  # so much is written in a round by each kind


def prepare(settings: Settings) -> Round:
    from fastcache._core import fields
    from fastcache.gaf import GramianAngularField

    size, batch = settings.options["size"], settings.options["batch"]
    series = walks(batch, 1, size)
    (spec,) = GramianAngularField().plan(size).specs
    kinds = {"auto": fields.AUTO, "cached": fields.CACHED, "streaming": fields.STREAMING}
    outs = {name: np.zeros((batch, size, size), np.float32) for name in kinds}

    def job(name: str) -> fields.FieldJob:
        return fields.FieldJob.of_array(
            spec, series, "float64", outs[name], planes=1, store=kinds[name]
        )

    def writes(name: str) -> Callable[[], float]:
        return lambda: seconds_of(job(name).run)

    def reads(name: str) -> Callable[[], float]:
        return lambda: writes(name)() + seconds_of(lambda: touch(outs[name].view(np.uint8)))

    passes = max(12, min(600, PASSES_BYTES // outs["auto"].nbytes))
    chosen = {value: name for name, value in kinds.items()}[job("auto").store]

    def one_round() -> Result:
        writing = take_turns({name: writes(name) for name in kinds}, passes)
        reading = take_turns({name: reads(name) for name in kinds}, passes)
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
