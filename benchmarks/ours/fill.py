"""A whole ArenaDataset from files in page cache: headers, plan, memory, decode, resample."""

from serve import Result, Round, Settings, read_all, serve, timed, touch


def prepare(settings: Settings) -> Round:
    from common import open_photos

    import fastcache as fc  # noqa: F401  (imported before anything is timed)

    read_all(settings.paths)

    def build() -> tuple[object, object]:
        dataset = open_photos(settings)
        pixels = dataset.arrays["image"]
        touch(pixels)
        return dataset, pixels

    def one_round() -> Result:
        (dataset, pixels), seconds = timed(build)
        result = {"seconds": seconds, "items": len(pixels), "mean": float(pixels.mean())}
        del pixels
        dataset.close()
        return result

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
