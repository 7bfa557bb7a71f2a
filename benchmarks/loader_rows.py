"""The table of loaders: which workers a value comes from, which target was set."""

from harness import Measured
from rows import Row, rate_ratio

SHOWN = (
    *("uint8", "FFCV raw, uint8", "float32", "FFCV raw, float32", "float16", "FFCV raw, float16"),
    *("jitter", "torchvision, jitter", "encoded", "whole, then crop", "FFCV jpg", "DALI crop"),
)
OURS = ("uint8", "float32", "float16", "jitter", "encoded", "whole, then crop")


def over_best(ours: Measured, theirs: Measured) -> list[float]:
    """Return how many times as fast as the other's best round, in every round of ours."""
    return [rate / max(theirs.rates) for rate in ours.rates]


def _limit_share(crop: Measured) -> list[float]:
    return crop.series(lambda one: 100 * one["limit"] / one["seconds"])


def _microseconds(overhead: Measured) -> list[float]:
    return overhead.series(lambda one: one["seconds"] / one["items"] * 1e6)


def _batches_held(memory: Measured) -> list[float]:
    return memory.series(
        lambda one: one["growth"] / (one["batch"] * one["allowed"] + one["scratch"])
    )


def _copy_share(copy: Measured) -> list[float]:
    return copy.series(lambda one: 100 * one["limit"] / one["seconds"])


CROP = "decoded 256 px, random resized crop 224, flip"
JPEG = "JPEG, random resized crop 224, flip, 1 thread"

ROWS = (
    Row(f"{CROP} → uint8, 1 thread / FFCV raw, its best round",
        4.0, True, "x", ("uint8", "FFCV raw, uint8"), over_best),
    Row(f"{CROP} → uint8, 2 threads / 1 thread",
        1.9, True, "x", ("uint8, 2 threads", "uint8, 1 thread"), rate_ratio),
    Row(f"{CROP} → normalised float32 NCHW, 1 thread / FFCV raw, its best round",
        4.0, True, "x", ("float32", "FFCV raw, float32"), over_best),
    Row(f"{CROP} → normalised float16 channels_last, 1 thread / FFCV raw, its best round",
        5.0, True, "x", ("float16", "FFCV raw, float16"), over_best),
    Row("crop, flip → normalised float32 NCHW, 1 thread / limit of streaming stores",
        85, True, "%", ("crop",), _limit_share),
    Row("the same in channels_last / limit of streaming stores",
        None, True, "%", ("crop, channels last",), _limit_share),
    Row(f"{CROP}, ColorJitter → uint8, 1 thread / torchvision v2 on tensors",
        5.0, True, "x", ("jitter", "torchvision, jitter"), rate_ratio),
    Row(f"{JPEG} / FFCV jpg, its best round",
        2.0, True, "x", ("encoded", "FFCV jpg"), over_best),
    Row(f"{JPEG} / DALI image_random_crop",
        2.2, True, "x", ("encoded", "DALI crop"), rate_ratio),
    Row(f"{JPEG} / our own full decode, then the crop",
        1.3, True, "x", ("encoded", "whole, then crop"), rate_ratio),
    Row("ArenaLoader's work for a batch of 256, its thread included, nothing to make",
        150, False, "µs", ("overhead",), _microseconds),
    Row("the same with a recipe (flip), without its work in C",
        150, False, "µs", ("overhead, recipe",), _microseconds),
    Row("epoch → normalised float32, 2 threads / DataLoader and torchvision v2, 2 workers",
        10.0, True, "x", ("epoch", "DataLoader, torchvision"), rate_ratio),
    Row("peak memory of the loader / (prefetch + 2) batches and the scratch that it states",
        1.01, False, "x", ("memory",), _batches_held),
)  # fmt: skip

CUDA_ROWS = (
    Row("uint8 batches to a CUDA device / a plain pinned copy of the same bytes",
        90, True, "%", ("cuda copy",), _copy_share),
    Row("share of a ResNet-18 float16 epoch that waits for data",
        1.0, False, "%", ("cuda epoch",), lambda one: one.series(lambda r: r["waited"])),
)  # fmt: skip
