"""The examples run as their first lines say."""

import subprocess
import sys
from pathlib import Path

import images
import pytest

pytest.importorskip("torch")

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name, *arguments, cwd):
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imagenet_style_trains_and_goes_on(tmp_path):
    """F5: a second run takes up the model, the schedule and the loader's place of the first."""
    folder = images.write_class_folder(tmp_path / "photos")
    given = ["--train", folder, "--val", folder, "--size", 32, "--batch", 4, "--out", "out"]
    told = run("imagenet_style.py", *given, "--epochs", 1, cwd=tmp_path)
    assert "in C: RandomResizedCrop(size=(32, 32)" in told
    assert told.splitlines()[-1].startswith("epoch 1: loss ")
    assert (tmp_path / "out" / "last.pt").exists()
    again = run("imagenet_style.py", *given, "--epochs", 1, "--resume", cwd=tmp_path)
    assert "epoch" not in again  # it had ended


def test_the_picture_of_transforms(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    run("transforms_picture.py", "views.jpg", cwd=tmp_path)
    assert (tmp_path / "views.jpg").stat().st_size > 50_000
