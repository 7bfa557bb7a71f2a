"""What counts visits is one memory for all processes that have a dataset, and goes with them."""

import copy
import gc
import multiprocessing
import os
import pickle

import numpy as np
import pytest
from keyed import Keyed, send
from loading import run_program

from fastcache.errors import ArenaGoneError
from fastcache.read.sampling.keys import Keys


def test_nothing_is_left_of_keys_that_nobody_has():
    gc.collect()  # what other tests left
    before = len(os.listdir("/proc/self/fd"))
    keys = [Keys(1, 10) for _ in range(9)]
    again = pickle.loads(pickle.dumps(keys[0]))
    assert len(os.listdir("/proc/self/fd")) == before + 9
    del keys, again
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_count_together(method):
    """By every start method, and by pickles of pickles; what a child tells is heard here."""
    ds = Keyed()
    again = pickle.loads(pickle.dumps(copy.deepcopy(pickle.loads(pickle.dumps(ds)))))
    assert len(pickle.dumps(again)) < 1000  # of the 4 KB that a dataset may take
    assert again.keys.take(np.array([4, 4])).epoch.tolist() == [0, 1]
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    child = context.Process(target=send, args=(there, again, [4, 9]))
    child.start()
    try:
        assert here.recv() == ([2, 0], [0, 0])
        assert here.recv() == "told"
        assert ds.keys.take(np.array([4])).epoch.tolist() == [11]
    finally:
        here.send("go on")
        child.join(60)


def test_pickles_of_what_is_gone_say_so():
    """As those of arenas do; where the arena is files, visits are counted anew."""
    text = """
import pickle, sys
from keyed import Keyed
sys.stdout.write(pickle.dumps([pickle.dumps(Keyed(outlives=o)) for o in (False, True)]).hex())
"""
    gone, outlives = pickle.loads(bytes.fromhex(run_program(text).stdout))
    with pytest.raises(ArenaGoneError, match="none is left that has it: keep the dataset open"):
        pickle.loads(gone)
    keys = pickle.loads(outlives).keys
    assert keys.take(np.array([4, 4])).epoch.tolist() == [0, 1]
    ds = Keyed()
    pickled = pickle.dumps(ds)
    del ds
    gc.collect()
    with pytest.raises(ArenaGoneError):
        pickle.loads(pickled)


def test_a_program_that_goes_on_is_found_by_a_handle_from_its_child():
    """A chain of pickles: the process in the middle has ended, the one before it has not."""
    ds = Keyed()
    ds.keys.take(np.array([2]))
    text = "import pickle, sys\nds = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
    text += "ds.keys.take(__import__('numpy').array([2]))\nprint(pickle.dumps(ds).hex())"
    told = run_program(text, pickle.dumps(ds).hex())
    assert told.returncode == 0, told.stderr
    assert pickle.loads(bytes.fromhex(told.stdout)).keys.take(np.array([2])).epoch.tolist() == [2]
