"""A whole ArenaDataset from files in page cache: headers, plan, memory, decode, resample."""

from typing import Any

from serve import Result, Round, Settings, read_all, serve, timed, touch


def prepare(settings: Settings) -> Round:
    from common import open_photos

    import fastcache as fc  # noqa: F401  (imported before anything is timed)

    read_all(settings.paths)

    def build() -> tuple[Any, Any]:
        dataset = open_photos(settings)
        pixels = dataset.arrays["image"]
        touch(pixels)
        return dataset, pixels

    def one_round() -> Result:
        (dataset, pixels), seconds = timed(build)
        facts = dataset.report["columns"]["image"]
        result = {
            "seconds": seconds,
            "items": len(pixels),
            "mean": float(pixels.mean()),
            "made": {way: facts[way] for way in ("decoded_in_c", "through_pillow")},
        }
        del pixels
        dataset.close()
        return result

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
