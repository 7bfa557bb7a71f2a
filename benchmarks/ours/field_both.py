"""Both fields of one preparation, and each by itself into the same memory.

options: ``size`` of an image.  ``singles`` are the seconds of the two together.
"""

from gaf_inputs import count_for, walks
from serve import Result, Round, Settings, seconds_of, serve, take_turns

PASSES = 12


def prepare(settings: Settings) -> Round:
    from fastcache.gaf import GramianAngularField

    size = settings.options["size"]
    count = count_for(size) // 2
    series = walks(count, size)
    fields = {
        method: GramianAngularField(method=method, n_jobs=settings.threads)
        for method in ("both", "summation", "difference")
    }
    out = fields["both"].transform(series)
    halves = out.reshape(2, count, size, size)

    def singles() -> None:
        fields["summation"].transform(series, out=halves[0])
        fields["difference"].transform(series, out=halves[1])

    actions = {
        "both": lambda: seconds_of(lambda: fields["both"].transform(series, out=out)),
        "singles": lambda: seconds_of(singles),
    }

    def one_round() -> Result:
        taken = take_turns(actions, PASSES)
        return {"seconds": taken["both"], "items": 2 * count, "singles": taken["singles"]}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
