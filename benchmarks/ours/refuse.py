"""One hostile file beside a good one: milliseconds and memory until an ArenaDataset has refused it.

Needs a process of its own, so that memory which an earlier round freed cannot hide what this one
takes. Everything that a dataset loads once per process is loaded before: it has met a file of each
format, Pillow's own among them.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

from common import open_files
from resident import peak_growth
from serve import Result, Round, Settings, read_all, serve, timed

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF")


def write_good_files(folder: Path) -> list[str]:
    """Write one small image of each format; return their paths."""
    from PIL import Image

    paths = []
    for name in FORMATS:
        file = io.BytesIO()
        Image.linear_gradient("L").convert("RGB").save(file, name)
        path = folder / f"good.{name.lower()}"
        path.write_bytes(file.getvalue())
        paths.append(str(path))
    return paths


def prepare(settings: Settings) -> Round:
    (bomb,) = settings.paths
    read_all([bomb])

    def dataset_of(paths: list[str]) -> Any:
        return open_files(paths, settings.threads, on_error="skip")

    def one_round() -> Result:
        with tempfile.TemporaryDirectory() as folder:
            good = write_good_files(Path(folder))
            dataset_of(good).close()
            (dataset, seconds), growth, _ = peak_growth(
                lambda: timed(lambda: dataset_of([good[0], bomb]))
            )
        failed = dataset.report.failed
        if [path for path, _ in failed] != [bomb]:
            raise RuntimeError(f"not refused: failed are {failed}")
        return {"seconds": seconds, "growth": growth, "reason": failed[0][1]}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
