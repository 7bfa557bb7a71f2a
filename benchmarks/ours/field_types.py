"""Summation fields of the same series in every type of pixel, into memory that is there already.

options: ``size`` of an image.  ``seconds`` are float32's, ``by`` those of all types.
"""

from gaf_inputs import count_for, walks
from serve import Result, Round, Settings, seconds_of, serve, take_turns

TYPES = ("float32", "uint8", "uint16", "float16", "float64")
PASSES = 9


def prepare(settings: Settings) -> Round:
    from fastcache.gaf import GramianAngularField

    size = settings.options["size"]
    series = walks(count_for(size), size)
    actions = {}
    for dtype in TYPES:
        field = GramianAngularField(dtype=dtype, n_jobs=settings.threads)
        out = field.transform(series)
        actions[dtype] = lambda field=field, out=out: seconds_of(
            lambda: field.transform(series, out=out)
        )

    def one_round() -> Result:
        by = take_turns(actions, PASSES)  # type: ignore[arg-type]
        return {"seconds": by["float32"], "items": len(series), "by": by}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
