"""One copy of an arena for the workers and ranks of a node."""

import copy
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from node import Node
from PIL import Image

import fastcache as fc

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc"
)

PROGRAM = Path(__file__).parent.parent / "sharing_program.py"
ROW = 64 << 10
ROWS = 6144
SIZE = ROWS * ROW  # 384 MiB: batches under way, 128 KiB each, are not the arena's


def semaphores(pids):
    """Return the files of multiprocessing's semaphores that processes have, as spawn needs them."""
    maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in pids)
    return {Path(each) for each in re.findall(r"/dev/shm/sem\.mp-\w+$", maps, re.MULTILINE)}


def taken(ranks, row, workers, method):
    """Return the arena's and all bytes of processes that have read an epoch of such rows."""
    with Node(ranks) as node:
        task = {"rows": ROWS, "row": row, "workers": workers, "method": method}
        processes = [node.start(task, PROGRAM) for _ in range(ranks)]
        read = [process.wait_for("read", seconds=180) for process in processes]
        assert all(each["right"] for each in read)
        assert all(each["pickle"] < 4096 for each in read)
        for each in read:  # with forkserver there is the server, and a tracker of semaphores
            assert len(each["pids"]) >= 1 + workers
        for process in processes:
            process.go_on()
        told = [process.wait_for("measured") for process in processes]
        files = semaphores(pid for each in read for pid in each["pids"])
        assert bool(files) == (method != "fork")
    assert not any(file.exists() for file in files)  # they outlive a kill of all processes
    return sum(each["arena"] for each in told), sum(each["all"] for each in told)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ranks", "workers", "method"),
    [(1, 4, "fork"), (1, 4, "spawn"), (1, 4, "forkserver"), (2, 2, "fork")],
)
def test_workers_and_ranks_have_one_copy(ranks, workers, method):
    """A12: 4 workers by every start method, and 2 ranks x 2 workers, hold the arena once."""
    arena, everything = taken(ranks, ROW, workers, method)
    _, without = taken(ranks, 64, workers, method)
    assert 0.95 * SIZE < arena < 1.05 * SIZE
    assert everything - without < 1.05 * SIZE


@pytest.mark.slow
def test_ranks_of_torchrun_have_one_copy(tmp_path):
    """A12: two ranks that torchrun has started find one another."""
    program = tmp_path / "train.py"
    program.write_text(
        "import json, os, sys, time\n"
        "import numpy as np\n"
        "import fastcache as fc\n"
        "ds = fc.ArenaDataset(fc.sources.Arrays(np.arange(4000).reshape(1000, 4)))\n"
        "maps = [line.split() for line in open('/proc/self/maps') if '/memfd:fastcache ' in line]\n"
        "facts = {'rank': os.environ['RANK'], 'inode': maps[0][4], 'maps': len(maps)}\n"
        "facts |= {'sum': int(sum(int(ds[i].sum()) for i in range(1000)))}\n"
        "open(os.path.join(sys.argv[1], facts['rank']), 'w').write(json.dumps(facts))\n"
        "until = time.monotonic() + 100  # nobody leaves before all have come\n"
        "while not all(os.path.exists(os.path.join(sys.argv[1], each)) for each in '01'):\n"
        "    assert time.monotonic() < until\n"
        "    time.sleep(0.05)\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node=2", str(program), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, timeout=240, capture_output=True, env=environment)
    told = [json.loads((tmp_path / rank).read_text()) for rank in "01"]
    assert told[0]["inode"] == told[1]["inode"]
    assert [each["maps"] for each in told] == [1, 1]
    assert told[0]["sum"] == told[1]["sum"] == sum(range(4000))


def test_the_pickle_of_a_dataset_is_small(class_folder):
    """A12: pickling a dataset costs under 4 KB, whatever was looked at before."""
    with fc.ArenaDataset(str(class_folder)) as ds:
        assert len(pickle.dumps(ds)) < 4096
        assert len(ds.samples) == len(ds.targets) == len(ds) == 12
        assert len(ds.imgs) == 12
        assert len(ds.arrays["image"]) == 12
        assert ds[3][1] == ds.targets[3]
        assert len(pickle.dumps(ds)) < 4096


class Wide:
    """A Dataset whose samples have many parts."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        image = np.full((4, 4, 3), index, np.uint8)
        numbers = {f"key_number_{k}": float(k + index) for k in range(400)}
        masks = [Image.fromarray(image) for _ in range(100)]
        return {"image": Image.fromarray(image), "target": {"numbers": numbers, "masks": masks}}


def shape_of(image):
    return image.size


def kinds_of(target):
    return len(target["numbers"]), type(target["masks"][0]).__name__


def pickled(ds):
    return pickle.loads(pickle.dumps(ds))


def test_a_dataset_of_many_columns_pickles_as_small():
    """A12: what the arena says itself does not travel beside it."""
    with fc.ArenaDataset(Wide(), transform=shape_of, target_transform=kinds_of) as ds:
        text = pickle.dumps(ds)
        assert len(text) < 2048
        with pickle.loads(text) as again:
            assert again[1] == ds[1] == {"image": (4, 4), "target": (400, "Image")}
            plain = again.with_transform(None, target_transform=None)
            assert plain[2]["target"]["numbers"] == Wide()[2]["target"]["numbers"]


@pytest.mark.parametrize("output", ["tuple", "dict"])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_hands_out_samples_of_the_same_structure(class_folder, output, copied):
    with fc.ArenaDataset(str(class_folder), output=output, transform_input="tensor") as ds:
        again = copied(ds)
        again.transform = lambda image: float(image.float().mean())
        mine, theirs = ds[3], again[3]
        assert type(mine) is type(theirs) is {"tuple": tuple, "dict": dict}[output]
        image, value = (s[0] if output == "tuple" else s["image"] for s in (mine, theirs))
        assert float(image.float().mean()) == value


def test_a_dataset_of_many_files_pickles_as_small(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
            "3a7e9b550000000a49444154789c63600000000200012f8bf9a50000000049454e44ae426082"
        )
    )
    for number in range(1, 500):
        os.link(tmp_path / "a" / "0.png", tmp_path / "a" / f"{number}{'n' * 100}.png")
    with fc.ArenaDataset(str(tmp_path)) as ds:
        assert len(ds.samples) == 500
        assert len(pickle.dumps(ds)) < 4096
        with pickle.loads(pickle.dumps(ds)) as again:
            assert again.samples == ds.samples
