"""Peak memory growth while filling, against what the plan said; needs a process of its own."""

from serve import Result, Round, Settings, read_all, serve


def prepare(settings: Settings) -> Round:
    import torch  # noqa: F401  (its memory is no growth)
    from common import open_photos
    from resident import peak_growth

    import fastcache as fc

    read_all(settings.paths)
    _ = fc.ArenaDataset

    def one_round() -> Result:
        dataset, growth, code = peak_growth(lambda: open_photos(settings))
        plan = dataset.plan
        return {
            "growth": growth,
            "code": code,
            "arena": plan.arena_bytes,
            "scratch": plan.scratch_bytes,
        }

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
