"""Draw what each transform does to a photograph: the picture of docs/transforms.md.

    python examples/transforms_picture.py docs/transforms.jpg

The photographs are those that scikit-learn and matplotlib ship.
"""

import sys
import tempfile
from pathlib import Path

import fastcache as fc
from fastcache import transforms as T

sys.path.insert(0, str(Path(__file__).with_name("demo")))
import photos

FLOATS = T.ToDtype("float32", scale=True)
RECIPES = {
    "Resize": T.Resize((64, 160)),
    "CenterCrop": T.CenterCrop(120),
    "LetterBox": T.LetterBox(160),
    "RandomCrop": T.RandomCrop(140, padding=24, padding_mode="reflect"),
    "RandomResizedCrop": T.RandomResizedCrop(160),
    "RandomHorizontalFlip": T.RandomHorizontalFlip(),
    "RandomVerticalFlip": T.RandomVerticalFlip(),
    "ColorJitter": T.ColorJitter(0.5, 0.5, 0.5, 0.1),
    "Grayscale": T.Grayscale(),
    "RandomGrayscale": T.RandomGrayscale(p=0.5),
    "RandomErasing": T.RandomErasing(p=1.0, value=(124, 116, 104)),
    "Normalize": [T.RandomErasing(p=1.0), T.Normalize((0.48, 0.46, 0.41), (0.23, 0.22, 0.22))],
    "MixUp": [T.Resize((160, 160)), FLOATS, T.MixUp(1.0)],
    "CutMix": [T.Resize((160, 160)), T.CutMix(1.0)],
    "MultiCrop": T.MultiCrop(
        [T.RandomResizedCrop(160, (0.4, 1))] * 2 + [T.RandomResizedCrop(72, (0.05, 0.4))] * 3
    ),
}


def main() -> None:
    """Fill an arena with some photographs, and draw."""
    target = sys.argv[1] if len(sys.argv) > 1 else "transforms.jpg"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for label, photo in photos.load_shipped().items():
            (root / label).mkdir()
            photo.save(root / label / f"{label}.png")
        with fc.ArenaDataset(root, store=T.Resize(180), seed=8) as ds:
            figure = fc.plots.recipe_views(ds, RECIPES)
            figure.savefig(target, dpi=60, pil_kwargs={"quality": 80})


if __name__ == "__main__":
    main()
