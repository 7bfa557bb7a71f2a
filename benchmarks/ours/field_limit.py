"""Summation fields into large memory that is there already, and the limit of writing it.

options: ``size`` of an image, its ``dtype``.
"""

from fill_limit import FillLimit, best
from gaf_inputs import count_for, walks
from serve import Result, Round, Settings, seconds_of, serve, take_turns

PASSES = 12


def prepare(settings: Settings) -> Round:
    from fastcache.gaf import GramianAngularField

    size, dtype = settings.options["size"], settings.options["dtype"]
    series = walks(count_for(size, dtype), size)
    field = GramianAngularField(dtype=dtype, n_jobs=settings.threads)
    out = field.transform(series)
    limit = FillLimit(settings.threads)
    actions = {
        "ours": lambda: seconds_of(lambda: field.transform(series, out=out)),
        **limit.actions(out),
    }

    def one_round() -> Result:
        taken = take_turns(actions, PASSES)
        return {
            "seconds": taken["ours"],
            "items": len(series),
            "limit_seconds": best(taken),
            "limit": taken,
            "bytes": out.nbytes,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
