"""Datasets that return different things for the same index are refused, without side effects."""

import itertools
import random
import subprocess
import sys

import images
import numpy as np
import pytest
from map_style import Dataset

from fastcache.errors import NotFrozenError
from fastcache.sources import Wrapped


def flipped(index):
    image = images.photo(4, 6, seed=index)
    return image.transpose(0) if random.random() < 0.5 else image


COUNT = itertools.count()
SHAKY = {
    "python": lambda _: random.random(),
    "numpy": lambda _: np.random.randint(1 << 30),  # noqa: NPY002 - the global state is the point
    "array": lambda _: np.random.rand(3),  # noqa: NPY002
    "image": flipped,
    "count": lambda _: next(COUNT),
    "shape": lambda _: np.zeros(random.randrange(1 << 20) + 1, bool),
}


@pytest.mark.parametrize("infer", ["first", "scan"])
@pytest.mark.parametrize("kind", SHAKY)
def test_random_datasets_are_refused_with_remedies(kind, infer):
    source = Wrapped(Dataset(lambda i: (i, SHAKY[kind](i)), 40), infer=infer)
    with pytest.raises(NotFrozenError, match=r"sample \d+, column '1'.*transform=.*frozen=True"):
        source.layout()


@pytest.mark.parametrize("kind", ["python", "image"])
def test_frozen_takes_what_comes(kind):
    source = Wrapped(Dataset(SHAKY[kind], 40), frozen=True)
    source.layout()
    assert source.read(3)["value"] is not None


def test_a_single_shaky_sample_among_few_is_found():
    source = Wrapped(Dataset(lambda i: random.random() if i == 9 else 0.0, 16))
    with pytest.raises(NotFrozenError, match="sample 9"):
        source.layout()


@pytest.mark.parametrize(("count", "reads"), [(1, 3), (5, 11), (16, 33), (1000, 33)])
def test_the_check_costs_two_reads_of_sixteen_samples(count, reads):
    seen = []
    Wrapped(Dataset(lambda i: seen.append(i) or i, count)).layout()
    assert len(seen) == reads
    assert max(seen) == count - 1
    assert len(set(seen)) == min(count, 16)


def test_a_scan_notices_a_later_difference_anywhere():
    state = {"changed": False}
    source = Wrapped(Dataset(lambda i: (i, i + state["changed"] * (i == 7)), 1000), infer="scan")
    source.layout()
    state["changed"] = True
    assert source.read(6) == {"0": 6, "1": 6}
    with pytest.raises(NotFrozenError, match=r"sample 7, column '1': differs from what the scan"):
        source.read(7)


@pytest.mark.parametrize("infer", ["first", "scan"])
@pytest.mark.parametrize("frozen", [True, False])
def test_random_states_are_the_same_afterwards(infer, frozen):
    torch = pytest.importorskip("torch")

    def make(_):
        random.random()
        np.random.rand()  # noqa: NPY002
        torch.rand(1)
        return 0

    def states():
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    Wrapped(Dataset(make, 20), infer=infer, frozen=frozen).layout()
    assert states() == before


def test_random_states_are_restored_when_the_dataset_is_refused():
    before = random.getstate()
    with pytest.raises(NotFrozenError):
        Wrapped(Dataset(SHAKY["python"], 20)).layout()
    assert random.getstate() == before


def test_sources_and_transforms_do_not_import_torch():
    code = (
        "import sys; from fastcache import sources, transforms; "
        "sources.Wrapped([1, 2]).layout(); sources.Arrays([[1]].__class__ and __import__('numpy')."
        "zeros((2, 2))); assert not [m for m in sys.modules if m.split('.')[0] == 'torch']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
