"""Datasets and helpers for the tests of ArenaLoader; importable by processes that are spawned."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch
from torch.utils.data import Dataset

PATIENCE = 60.0  # seconds for anything to happen on a busy machine


def told(options: object) -> str:
    """Return options in words that are the same in each process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(options))


class Squares(Dataset):
    """Plain Python: samples one by one, with a dict, a list and a string in each."""

    def __init__(self, count=23):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(f"sample {index} of {self.count}")
        return {"x": torch.full((3,), float(index)), "more": [index * index, f"name {index}"]}


class Failing(Squares):
    """One sample cannot be had."""

    def __init__(self, count=20, bad=7, error=ValueError):
        super().__init__(count)
        self.bad, self.error = bad, error

    def __getitem__(self, index):
        if index == self.bad:
            raise self.error("seven is bad")
        return index


class Counting(Dataset):
    """Counts its batches that are alive; each holds on to a token that says when it dies."""

    def __init__(self, count=64, seconds=0.0):
        self.count, self.seconds = count, seconds
        self.alive = self.most = 0
        self.lock = threading.Lock()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index

    def collate(self, samples):
        time.sleep(self.seconds)
        return Token(self, samples)

    def add(self, number):
        with self.lock:
            self.alive += number
            self.most = max(self.most, self.alive)


class Token:
    """A batch of `Counting`."""

    def __init__(self, owner, samples):
        self.owner, self.samples = owner, samples
        owner.add(1)

    def __del__(self):
        self.owner.add(-1)


def loader_threads():
    """Return the threads of loaders that are alive."""
    return [t for t in threading.enumerate() if t.name.startswith("fastcache-loader")]


def until(condition, seconds=PATIENCE):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)


def run_program(text, *arguments, seconds=PATIENCE):
    """Run a program's text in a process of its own; return it once it has ended."""
    return subprocess.run(
        [sys.executable, "-c", text, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
