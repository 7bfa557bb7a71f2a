"""Folders of images with boxes, and slow obvious answers to where the boxes lie."""

import json
from pathlib import Path
from typing import Any

import images
import numpy as np

Box = tuple[float, float, float, float]
NAMES = ["cat", "dog", "cow"]


def follow_store(box: Box, height: int, width: int, operations: Any) -> tuple[Box, Box, Any]:
    """Move one box (pixels) through operations one by one.

    Returns the whole box, what of it is seen, and the final (height, width).
    """
    whole = list(box)
    seen = [0.0, 0.0, float(width), float(height)]
    for operation in operations:
        new_h, new_w = (int(n) for n in operation.sizes(height, width))
        if operation.name == "Resize":
            top = left = 0
            y, x = new_h / height, new_w / width
        elif operation.name == "CenterCrop":
            y = x = 1.0
            top, left = (
                -((want - have) // 2) if have < want else round((have - want) / 2)
                for have, want in ((height, new_h), (width, new_w))
            )
        else:
            ratio = min(new_h / height, new_w / width)
            if not operation.scaleup:
                ratio = min(ratio, 1)
            inner_h, inner_w = max(round(height * ratio), 1), max(round(width * ratio), 1)
            y, x = inner_h / height, inner_w / width
            top, left = -round((new_h - inner_h) / 2 - 0.1), -round((new_w - inner_w) / 2 - 0.1)
        for each in (whole, seen):
            each[:] = [n * (x, y)[k % 2] - (left, top)[k % 2] for k, n in enumerate(each)]
        seen = [min(max(n, 0), (new_w, new_h)[k % 2]) for k, n in enumerate(seen)]
        height, width = new_h, new_w
    cut = (
        max(whole[0], seen[0]),
        max(whole[1], seen[1]),
        min(whole[2], seen[2]),
        min(whole[3], seen[3]),
    )
    return (whole[0], whole[1], whole[2], whole[3]), cut, (height, width)


def area(box: Box) -> float:
    """Return the area of a box; 0 of one that is inside out."""
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def expected(
    boxes: list[tuple[int, Box]], height: int, width: int, operations: Any, least: float = 0.1
) -> list[tuple[int, Box]]:
    """Return what is left of labelled boxes (pixels) on an image after operations."""
    left = []
    for label, box in boxes:
        whole, cut, _ = follow_store(box, height, width, operations)
        if area(cut) > 0 and area(cut) >= least * area(whole):
            left.append((label, cut))
    return left


def random_boxes(rng: np.random.Generator, count: int) -> list[tuple[int, Box]]:
    """Return labels and boxes as shares of an image, of at least a few pixels, in four decimals."""
    made = []
    for _ in range(count):
        w, h = rng.uniform(0.05, 0.5, 2)
        x, y = rng.uniform(w / 2, 1 - w / 2), rng.uniform(h / 2, 1 - h / 2)
        cx, cy, w, h = (round(float(n), 4) for n in (x, y, w, h))
        made.append((int(rng.integers(len(NAMES))), (cx, cy, w, h)))
    return made


def make_yolo(root: Path, counts: list[int], seed: int = 0) -> list[dict[str, Any]]:
    """Write images/ and labels/ below `root`; no label file where a count is negative.

    Returns for each image, in order: its path, size, and labels with boxes in pixels.
    """
    rng = np.random.default_rng(seed)
    (root / "images" / "train").mkdir(parents=True)
    (root / "labels" / "train").mkdir(parents=True)
    made = []
    for k, count in enumerate(counts):
        height, width = (int(n) for n in rng.integers(24, 80, 2))
        path = root / "images" / "train" / f"{k:03}.png"
        path.write_bytes(images.encode(images.photo(height, width, seed=k), "PNG"))
        boxes = random_boxes(rng, max(count, 0))
        if count >= 0:
            lines = [f"{label} {' '.join(map(str, box))}\n" for label, box in boxes]
            (root / "labels" / "train" / f"{k:03}.txt").write_text("".join(lines))
        pixels = [
            (label, (
                (cx - w / 2) * width, (cy - h / 2) * height,
                (cx + w / 2) * width, (cy + h / 2) * height,
            ))
            for label, (cx, cy, w, h) in boxes
        ]  # fmt: skip
        made.append({"path": str(path), "size": (height, width), "boxes": pixels})
    return made


def coco_json(known: list[dict[str, Any]], ids: list[int]) -> dict[str, Any]:
    """Return the same images as a file in COCO's format, with these ids, in a mixed order."""
    categories = [{"id": 10 * k + 7, "name": name} for k, name in enumerate(NAMES)]
    entries, annotations = [], []
    for image_id, one in zip(ids, known, strict=True):
        height, width = one["size"]
        name = Path(one["path"]).name
        entries.append({"id": image_id, "file_name": name, "height": height, "width": width})
        for label, (x1, y1, x2, y2) in one["boxes"]:
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image_id,
                    "category_id": 10 * label + 7,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "iscrowd": 0,
                }
            )
    order = [*entries[::2], *entries[1::2]]
    return {"images": order, "annotations": annotations, "categories": categories[::-1]}


def write_coco(path: Path, told: Any) -> Path:
    """Write a file of annotations."""
    path.write_text(json.dumps(told))
    return path
