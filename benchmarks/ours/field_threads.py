"""Summation fields and the limit of writing, each by one thread and by two, in turns.

options: ``size`` of an image.
"""

from fill_limit import FillLimit, best
from gaf_inputs import count_for, walks
from serve import Result, Round, Settings, seconds_of, serve, take_turns

MEGABYTES, PASSES = 1024, 6


def prepare(settings: Settings) -> Round:
    from fastcache.gaf import GramianAngularField

    size = settings.options["size"]
    series = walks(count_for(size, megabytes=MEGABYTES), size)
    one, two = (GramianAngularField(n_jobs=threads) for threads in (1, 2))
    out = one.transform(series)
    actions = {
        "one": lambda: seconds_of(lambda: one.transform(series, out=out)),
        "two": lambda: seconds_of(lambda: two.transform(series, out=out)),
        **FillLimit(1).actions(out, "limit of one"),
        **FillLimit(2).actions(out, "limit of two"),
    }

    def one_round() -> Result:
        taken = take_turns(actions, PASSES)
        return {
            "seconds": taken["two"],
            "items": len(series),
            "bytes": out.nbytes,
            "one": taken["one"],
            "limit_one": best(taken, "limit of one"),
            "limit_two": best(taken, "limit of two"),
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
