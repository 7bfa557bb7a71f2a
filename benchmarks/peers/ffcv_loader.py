"""FFCV: its file in the page cache, random resized crop 224 and flip, batches by its own loader.

options: ``folder``, where its file is written; ``pixels``, decoded photographs for its raw mode,
without it jpg; ``output``: uint8, float32 (NCHW) or float16.  JPEG files go into FFCV's file byte
by byte, so that it decodes the same bytes as the others.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from handing import BATCH, MEAN, SHORT, SIDE, STD, check_centres, order_of, read_pixels, rounds_of
from serve import Round, Settings, read_all, serve

# One thread needs no pool of numba's, and the one on TBB, which comes with OpenCV's headers, waits
# for ever when the process ends.
os.environ["NUMBA_THREADING_LAYER"] = "omp"


def write_file(path: Path, images: Sequence[Any], encoded: bool) -> None:
    """Write FFCV's file: pixels as they are, or the bytes of JPEG files as they are.

    Parameters
    ----------
    path : Path
    images : sequence
        Arrays (H, W, 3), or bytes.
    """
    import io

    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.rgb_image import IMAGE_MODES
    from ffcv.writer import DatasetWriter
    from PIL import Image

    class JpegBytes(RGBImageField):  # type: ignore[misc]
        """Keeps a file instead of making a new one of its pixels."""

        def encode(self, destination: Any, image: bytes, malloc: Any) -> None:
            with Image.open(io.BytesIO(image)) as opened:
                destination["width"], destination["height"] = opened.size
            destination["mode"] = IMAGE_MODES["jpg"]
            destination["data_ptr"], storage = malloc(len(image))
            storage[:] = np.frombuffer(image, np.uint8)

    class Labelled:
        """All with the label 0."""

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> Any:
            return images[index], 0

    field = JpegBytes() if encoded else RGBImageField(write_mode="raw")
    writer = DatasetWriter(str(path), {"image": field, "label": IntField()}, num_workers=1)
    writer.from_indexed_dataset(Labelled())


def operations(output: str) -> list[Any]:
    """Return what FFCV does behind its decoder, in the order of its documentation."""
    from ffcv import transforms as ffcv

    if output == "uint8":
        return [ffcv.ToTensor(), ffcv.ToTorchImage()]
    element = np.float16 if output == "float16" else np.float32
    mean, std = 255 * np.array(MEAN), 255 * np.array(STD)
    return [
        ffcv.NormalizeImage(mean, std, element),
        ffcv.ToTensor(),
        ffcv.ToTorchImage(channels_last=output == "float16"),
    ]


def prepare(settings: Settings) -> Round:
    import torch
    from ffcv.fields import RGBImageField
    from ffcv.fields.decoders import CenterCropRGBImageDecoder, RandomResizedCropRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import RandomHorizontalFlip

    torch.set_num_threads(settings.threads)
    encoded = "pixels" not in settings.options
    images = read_all(settings.paths) if encoded else read_pixels(settings.options["pixels"])
    path = Path(settings.options["folder"]) / f"{settings.function}-{settings.threads}.beton"
    write_file(path, images, encoded)
    after = operations(settings.options["output"])

    def load(decode: Any, order: Sequence[int], is_last_whole: bool) -> Any:
        return Loader(
            str(path),
            batch_size=int(settings.options.get("batch", BATCH)),
            num_workers=settings.threads,
            order=OrderOption.SEQUENTIAL,
            indices=order,
            pipelines={"image": [*decode, *after]},
            custom_fields={"image": RGBImageField},
            drop_last=is_last_whole,
        )

    if not encoded:
        # Cut out, and not resampled.
        centres = [CenterCropRGBImageDecoder((SIDE, SIDE), ratio=SIDE / SHORT)]
        check_centres((batch for batch, _ in load(centres, range(len(images)), False)), images)
    random = [RandomResizedCropRGBImageDecoder((SIDE, SIDE)), RandomHorizontalFlip()]
    loader = load(random, order_of(len(images), settings.rows), True)

    def epoch() -> Iterator[Any]:
        for batch, _ in loader:
            yield batch

    return rounds_of(epoch, settings)


if __name__ == "__main__":
    serve(prepare, package="ffcv")
