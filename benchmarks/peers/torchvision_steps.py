"""torchvision.transforms.v2 on uint8 tensors in memory, as its reference scripts compose it.

options: ``pixels``; ``output``: "jitter" (crop, flip, ColorJitter; uint8) or "float32" (crop, flip,
normalised).  `function` "loop" makes batches in this process, on one thread; "workers" is torch's
DataLoader with as many kept worker processes as `threads`.
"""

from collections.abc import Iterator
from typing import Any

from handing import BATCH, JITTER, MEAN, SIDE, STD, order_of, read_pixels, rounds_of
from serve import NotInstalled, Round, Settings, serve

# What torchvision's Python part looks up at import, and its wheel does not register beside a CPU
# build of torch: nothing here calls them.
_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_LIBRARIES: list[Any] = []  # operators live as long as the library that defined them


def transforms_v2() -> Any:
    """Return torchvision.transforms.v2, also where torchvision's compiled part does not load."""
    import torch

    try:
        from torchvision.transforms import v2
    except RuntimeError as error:
        if _LIBRARIES:
            raise NotInstalled(f"a torchvision that imports: {error}") from error
        _LIBRARIES.append(torch.library.Library("torchvision", "FRAGMENT"))
        for signature in _SIGNATURES:
            _LIBRARIES[0].define(signature)
        return transforms_v2()
    return v2


def composed(v2: Any, output: str) -> Any:
    """Return the transform of a sample."""
    import torch

    steps = [v2.RandomResizedCrop(SIDE, antialias=True), v2.RandomHorizontalFlip()]
    if output == "jitter":
        steps.append(v2.ColorJitter(*JITTER))
    else:
        steps += [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    return v2.Compose(steps)


def prepare(settings: Settings) -> Round:
    import torch
    from torch.utils.data import DataLoader, Dataset

    torch.set_num_threads(1)
    transform = composed(transforms_v2(), settings.options["output"])
    # (C, H, W), as everything that decodes for torch hands them out.
    images = [
        torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        for pixels in read_pixels(settings.options["pixels"])
    ]
    order = order_of(len(images), settings.rows)

    class Photographs(Dataset[Any]):
        """Decoded photographs in memory, with labels."""

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> Any:
            return transform(images[index]), 0

    workers = settings.threads if settings.function == "workers" else 0
    loader = DataLoader(
        Photographs(),
        BATCH,
        sampler=order,
        num_workers=workers,
        persistent_workers=workers > 0,  # their start is not measured
        drop_last=True,
    )

    def epoch() -> Iterator[Any]:
        for batch, _ in loader:
            yield batch

    return rounds_of(epoch, settings)


if __name__ == "__main__":
    serve(prepare, package="torchvision")
