"""A small CNN and the loop that trains it, with a clock on every wait for data."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


@dataclass
class Timing:
    """Seconds waited for each batch, and seconds in all."""

    waits: list[float] = field(default_factory=list)
    images: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    @property
    def wait_share(self) -> float:
        """Share of the time in which the loop only waited for data."""
        return sum(self.waits) / self.seconds


def make_model(classes: int) -> nn.Module:
    """Return a CNN of 15,000 parameters for 224 x 224 images; weights follow torch's seed."""
    model: nn.Module = nn.Sequential(
        nn.AvgPool2d(4),  # a CPU must keep up: what is shown here is the loading
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, classes),
    )
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _timed(batches: Batches, timing: Timing) -> Batches:
    began = waited_from = time.perf_counter()
    for batch in batches:
        timing.waits.append(time.perf_counter() - waited_from)
        yield batch
        timing.images += len(batch[1])
        waited_from = time.perf_counter()
    timing.seconds += time.perf_counter() - began


def load_only(batches: Batches) -> Timing:
    """Read one epoch, touching every byte, and do nothing else."""
    timing = Timing()
    for images, _ in _timed(batches, timing):
        # In the order of memory, eight bytes at a time: cheap beside any way of loading.
        images.numpy().ravel(order="K").view("u8").sum()
    return timing


def train(batches: Batches, classes: int, epochs: int, seed: int) -> tuple[list[float], Timing]:
    """Train for some epochs.

    Returns
    -------
    losses, timing : list of float, Timing
        The loss of every step, and the times of all epochs together.
    """
    torch.manual_seed(seed)
    model = make_model(classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses, timing = [], Timing()
    for _ in range(epochs):
        for images, labels in _timed(batches, timing):
            pixels = images.to(torch.float32, memory_format=torch.channels_last).div_(255)
            loss = nn.functional.cross_entropy(model(pixels), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
    return losses, timing
