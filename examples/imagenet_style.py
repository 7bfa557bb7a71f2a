"""Train a small ResNet as one trains on ImageNet, from arenas, with a recipe that runs in C.

    python examples/imagenet_style.py --train photos/train --val photos/val
    python examples/imagenet_style.py            # without a folder: on photographs that it makes

Each file is decoded once.  Random crops, flips, colours and normalisation are done on each read,
by the threads of the dataset, into the memory of the batch, two batches ahead of the loop.  Stopped
in mid-epoch (Ctrl-C), it goes on with --resume where it stood.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import fastcache as fc
from fastcache import transforms as T

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, help="a folder of class folders")
    parser.add_argument("--val", type=Path, help="another one, of the same classes")
    parser.add_argument("--out", type=Path, default=Path("imagenet-out"), help="checkpoints")
    parser.add_argument("--size", type=int, default=224, help="pixels of a side")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--budget", default=None, help="such as 20GB; default: what is available")
    parser.add_argument("--cache-dir", type=Path, help="keep the arenas here for the next run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from --out/last.pt")
    options = parser.parse_args()
    if (options.train is None) != (options.val is None):
        parser.error("give both --train and --val, or neither")
    return options


def folders(options: argparse.Namespace) -> tuple[Path, Path]:
    """Return the folders of photographs; without any given, make some."""
    if options.train is not None:
        return options.train, options.val
    sys.path.insert(0, str(Path(__file__).with_name("demo")))
    import photos

    options.out.mkdir(parents=True, exist_ok=True)
    return photos.make(options.out, 600, 0), photos.make(options.out, 150, 1)


def datasets(options: argparse.Namespace) -> tuple[fc.ArenaDataset, fc.ArenaDataset]:
    """Return the arenas of both folders, which share one budget."""
    train, val = folders(options)
    # On a GPU, half the bytes to move, and what tensor cores take; a CPU computes in float32.
    kind = torch.float16 if torch.cuda.is_available() else torch.float32
    small = round(options.size * 256 / 224)
    given = {"budget": fc.Budget(options.budget), "on_error": "skip"}
    if options.cache_dir is not None:
        given["cache_dir"] = options.cache_dir
    learn = fc.ArenaDataset(
        train,
        store=T.Resize(small),  # the aspect ratio stays: random crops need the whole picture
        transform=[
            T.RandomResizedCrop(options.size),
            T.RandomHorizontalFlip(),
            T.ColorJitter(0.2, 0.2, 0.2),
            T.Normalize(MEAN, STD),
            T.ToDtype(kind),
        ],
        **given,
    )
    check = fc.ArenaDataset(
        val,
        store=[T.Resize(small), T.CenterCrop(options.size)],  # all of one size: one dense column
        transform=[T.Normalize(MEAN, STD), T.ToDtype(kind)],
        **given,
    )
    if check.classes != learn.classes:
        raise SystemExit(f"classes differ: {learn.classes} and {check.classes}")
    return learn, check


class Block(nn.Module):
    """Two convolutions and a way around them (He et al., CVPR 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.around: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.around = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the images of a batch one block further."""
        return torch.relu(self.body(x) + self.around(x))


def make_model(classes: int) -> nn.Module:
    """Return a ResNet with one block per stage, narrow enough for a CPU."""
    widths = (16, 32, 64, 128)
    blocks = [Block(a, b, 2) for a, b in zip((16, *widths), widths, strict=False)]
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 4, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(widths[-1], classes),
    )


@torch.no_grad()
def accuracy(model: nn.Module, loader: fc.ArenaLoader) -> float:
    """Return the share of images whose class comes out first."""
    model.eval()
    right = seen = 0
    for images, labels in loader:
        with torch.autocast(images.device.type, enabled=images.is_cuda):
            right += int((model(images).argmax(1) == labels).sum())
        seen += len(labels)
    model.train()
    return right / max(seen, 1)


class Training:
    """A model, its optimizer, and the loader whose place a checkpoint remembers."""

    def __init__(self, options: argparse.Namespace, ds: fc.ArenaDataset) -> None:
        torch.manual_seed(options.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = make_model(len(ds.classes)).to(self.device)
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loader = fc.ArenaLoader(
            ds, options.batch, sampler=fc.ArenaSampler(ds, seed=options.seed), device=self.device
        )
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), options.lr, momentum=0.9, weight_decay=5e-5, nesterov=True
        )
        self.epochs = options.epochs
        steps = max(1, options.epochs * len(self.loader))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, options.lr, steps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.device.type == "cuda")
        self.target = options.out / "last.pt"
        self.epoch = 0

    def state(self) -> dict[str, Any]:
        """Return all that a run needs to go on."""
        parts = ("model", "optimizer", "schedule", "scaler", "loader")
        return {"epoch": self.epoch} | {name: getattr(self, name).state_dict() for name in parts}

    def resume(self) -> None:
        """Go on where a run was stopped."""
        state = torch.load(self.target, map_location=self.device, weights_only=True)
        self.epoch = state.pop("epoch")
        for name, part in state.items():
            getattr(self, name).load_state_dict(part)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """Learn from a batch, and return its loss."""
        with torch.autocast(self.device.type, enabled=images.is_cuda):
            loss = nn.functional.cross_entropy(self.model(images), labels, label_smoothing=0.1)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return loss.item()

    def run(self, valid: fc.ArenaLoader) -> None:
        """Train to the last epoch; a checkpoint is left behind after each, and on Ctrl-C."""
        while self.epoch < self.epochs:
            began, losses = time.perf_counter(), []
            try:
                losses.extend(self.step(images, labels) for images, labels in self.loader)
            except KeyboardInterrupt:
                torch.save(self.state(), self.target)
                raise SystemExit(f"stopped; --resume goes on from {self.target}") from None
            self.epoch += 1
            torch.save(self.state(), self.target)
            stats = self.loader.stats()
            print(
                f"epoch {self.epoch}: loss {sum(losses) / max(len(losses), 1):.3f}, "
                f"accuracy {accuracy(self.model, valid):.1%}, "
                f"{stats.samples_per_second:,.0f} images/s, waited {stats.waited_share:.1%}, "
                f"{time.perf_counter() - began:.1f} s",
                flush=True,
            )


def main() -> None:
    """Fill both arenas, then train."""
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    learn, check = datasets(options)
    print(learn, check, sep="\n")
    training = Training(options, learn)
    if options.resume:
        training.resume()
    training.run(fc.ArenaLoader(check, options.batch, device=training.device))


if __name__ == "__main__":
    main()
