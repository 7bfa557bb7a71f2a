"""What an iteration leaves behind, however it ends: no thread, no memory, no hang."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest
import torch
from loading import (
    PATIENCE,
    Counting,
    Failing,
    Squares,
    loader_threads,
    run_program,
    until,
)
from reading import Doubled, make_arena, photo_set, photos

import fastcache as fc
from fastcache.errors import ForkedError, LateError, LoaderError


@pytest.fixture(autouse=True)
def _no_threads_of_others():
    gc.collect()  # pytest.raises holds errors in cycles, and they hold what was iterated


def labels_of(batches):
    return [batch.tolist() for batch in batches]


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 1, 2, 8])
def test_an_error_comes_in_its_turn_and_the_next_batch_after_it(ahead):
    batches = iter(fc.ArenaLoader(Failing(20, 7), 4, prefetch_factor=ahead))
    assert next(batches).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="seven is bad") as raised:
        next(batches)
    assert raised.value.__notes__ == ["sample 7", "in a batch of 4 samples: 4, 5, 6, 7"]
    frames = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert "__getitem__" in frames
    assert labels_of(batches) == [[8, 9, 10, 11], [12, 13, 14, 15], [16, 17, 18, 19]]
    assert not loader_threads()


def refuse_13(image):
    if image.getpixel((0, 0))[0] == 13:
        raise KeyError("thirteen")
    return torch.zeros(1)


def test_an_error_in_a_transform_names_the_sample_of_the_arena():
    structure, columns = photos(20)
    field, pixels = columns["image"]
    pixels[:, 0, 0, 0] = range(20)
    from fastcache.read.view import ArenaView

    ds = ArenaView(make_arena(structure, {**columns, "image": (field, pixels)}))
    loader = fc.ArenaLoader(ds.with_transform(refuse_13), 10, sampler=range(19, -1, -1))
    with pytest.raises(KeyError) as raised:
        list(loader)
    assert raised.value.__notes__[0] == "sample 13"
    assert raised.value.__notes__[1].startswith("in a batch of 10 samples: 19, 18, 17, 16")
    with pytest.raises(IndexError) as raised:
        list(fc.ArenaLoader(Doubled(make_arena(*photos(5))), 2, sampler=[0, 99]))
    assert raised.value.__notes__[0] == "sample 99"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_is_raised_reaches_the_loop(error):
    with pytest.raises(error):
        list(fc.ArenaLoader(Failing(20, 7, error), 4))
    until(lambda: not loader_threads())


def test_stop_iteration_in_a_dataset_is_not_the_end():
    with pytest.raises(LoaderError, match="raised StopIteration"):
        list(fc.ArenaLoader(Failing(20, 7, StopIteration), 4))


def test_an_error_in_a_sampler_ends_the_iteration():
    def sampler():
        yield from (0, 1, 2, 3)
        raise OSError("no more numbers")

    batches = iter(fc.ArenaLoader(Squares(9), 2, sampler=sampler()))
    assert len(next(batches)) == len(next(batches)) == 2
    with pytest.raises(OSError, match="no more numbers"):
        next(batches)
    assert list(batches) == []


def test_indices_out_of_range_and_closed_datasets_are_errors():
    with pytest.raises(IndexError, match="sample 99 of 5"):
        list(fc.ArenaLoader(photo_set(5), sampler=[99]))
    ds = photo_set(9)
    batches = iter(fc.ArenaLoader(ds, 2))
    next(batches)
    del batches
    ds.close()
    with pytest.raises(fc.errors.ClosedError):
        next(iter(fc.ArenaLoader(ds, 2, sampler=[0, 1])))


def test_a_batch_that_takes_too_long_is_an_error():
    gate = threading.Event()

    class Slow(Squares):
        def __getitem__(self, index):
            if index == 3:
                gate.wait(PATIENCE)
            return index

    batches = iter(fc.ArenaLoader(Slow(6), 2, timeout=0.2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(LateError, match=r"within timeout=0.2 seconds") as error:
        next(batches)
    assert isinstance(error.value, RuntimeError)  # as from DataLoader
    gate.set()
    until(lambda: batches._ahead.held == 2)
    assert labels_of(batches) == [[2, 3], [4, 5]]


def test_worker_processes_that_take_too_long_are_the_same_error():
    class Slow(Squares):
        def __getitem__(self, index):
            time.sleep(PATIENCE)

    with pytest.raises(LateError, match="timed out after 0.2 seconds"):
        next(iter(fc.ArenaLoader(Slow(6), 2, num_workers=1, timeout=0.2)))


# -- ends ----------------------------------------------------------------------------------


def test_break_and_del_leave_neither_thread_nor_batch():
    ds = Counting(64, 0.002)
    loader = fc.ArenaLoader(ds, 4, collate_fn=ds.collate)
    for batch in loader:
        del batch
        break
    assert not loader_threads()
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    del batches
    assert not loader_threads()
    until(lambda: ds.alive == 0)


@pytest.mark.parametrize("ahead", [0, 2])
def test_what_an_iteration_held_goes_without_a_garbage_collection(ahead):
    loader = fc.ArenaLoader(Squares(23), 2, shuffle=True, prefetch_factor=ahead)
    gc.disable()
    try:
        for _ in loader:
            break
        assert not loader.sampler._run.live  # its generator was closed
        loader.sampler.set_epoch(0)
        assert loader.state_dict()["sampler"]["position"] == 0
    finally:
        gc.enable()


def test_an_iterator_in_a_cycle_goes_with_the_garbage():
    loader = fc.ArenaLoader(photo_set(23), 2)
    batches = iter(loader)
    next(batches)
    batches.myself = batches
    del batches
    gc.collect()
    until(lambda: not loader_threads())


def test_nobody_waits_for_a_thread_in_a_garbage_collection():
    """It may begin where a lock is held that the thread needs to end."""
    shut = []
    for in_cycle in (True, False):
        batches = iter(fc.ArenaLoader(Squares(23), 2))
        next(batches)
        executor = batches._ahead._executor
        whole = type(executor).shutdown
        executor.shutdown = lambda wait, whole=whole, own=executor: (
            shut.append(wait),
            whole(own, wait),
        )
        del executor
        if in_cycle:
            batches.myself = batches
        del batches
        assert shut == ([] if in_cycle else [True])
        # What the test put into the executor makes a cycle of it: one collection may be too early.
        until(lambda: gc.collect() >= 0 and not loader_threads())
    assert shut == [True]


def test_an_arena_can_be_closed_after_break():
    for _ in range(20):
        ds = photo_set(64, (40, 40))
        for _ in fc.ArenaLoader(ds, 4, prefetch_factor=4):
            break
        ds.close()


def test_a_closed_iterator_has_ended():
    batches = iter(fc.ArenaLoader(Squares(23), 2))
    next(batches)
    batches.close()
    assert not loader_threads()
    assert list(batches) == []
    batches.close()


def test_iterations_may_be_nested_and_side_by_side():
    loader = fc.ArenaLoader(photo_set(9), 4)
    wanted = [labels.tolist() for _, labels in loader]
    pairs = [(a.tolist(), b.tolist()) for _, a in loader for _, b in loader]
    assert pairs == [(a, b) for a in wanted for b in wanted]
    side_by_side = [(a.tolist(), b.tolist()) for (_, a), (_, b) in zip(loader, loader)]
    assert side_by_side == [(a, a) for a in wanted]
    assert not loader_threads()


# -- memory --------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [0, 1, 2, 4])
@pytest.mark.parametrize("slow_loop", [True, False])
def test_a_loop_that_holds_one_batch_has_at_most_two_beside_those_ahead(slow_loop, ahead):
    ds = Counting(120, 0.0 if slow_loop else 0.002)
    for batch in fc.ArenaLoader(ds, 4, collate_fn=ds.collate, prefetch_factor=ahead):
        assert ds.alive <= ahead + 2
        if slow_loop:
            time.sleep(0.002)
        assert len(batch.samples) == 4
    del batch
    assert ds.most <= ahead + 2
    until(lambda: ds.alive == 0)


def test_a_slow_loop_finds_as_many_as_it_asked_for_ahead():
    ds = Counting(40)
    batches = iter(fc.ArenaLoader(ds, 4, collate_fn=ds.collate, prefetch_factor=3))
    held = next(batches)
    until(lambda: ds.alive == 4)
    assert held.samples == [0, 1, 2, 3]
    time.sleep(0.05)
    assert ds.alive == 4


def test_batches_that_are_held_are_never_overwritten():
    ds = photo_set(200, (40, 40))
    held = list(fc.ArenaLoader(ds, 8, prefetch_factor=3))
    for images, _ in held[::2]:
        images.fill_(0)
    again = list(fc.ArenaLoader(ds, 8, prefetch_factor=3))
    for k, (images, _) in enumerate(again):
        assert bool(images.any())
        assert torch.equal(images, held[k][0]) == (k % 2 == 1)


# -- processes -----------------------------------------------------------------------------

PROGRAM = """
import os, signal, sys, threading, time
import fastcache as fc
from loading import Squares
from reading import photo_set
{body}
"""


def program(body, **options):
    done = run_program(PROGRAM.format(body=body), **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "keep",
    [
        "next(batches)",
        "next(batches); loader.batches = batches; batches.loader = loader",
        "next(batches); sys.exit(0)",
        "list(batches)",
        "import atexit; atexit.register(lambda: print(len(list(loader)))); next(batches)",
    ],
)
def test_the_interpreter_ends_with_an_iteration_under_way(keep):
    body = f"loader = fc.ArenaLoader(photo_set(200), 2)\nbatches = iter(loader)\n{keep}"
    code, out, err = program(body)
    assert (code, err) == (0, "")
    if "atexit" in keep:  # no thread can be started any more; the batches come all the same
        assert out == "100\n"


def test_an_uncaught_error_ends_the_interpreter():
    code, _, err = program("for batch in fc.ArenaLoader(photo_set(99), 2):\n    raise OSError('x')")
    assert code == 1
    assert err.rstrip().endswith("OSError: x")


INTERRUPTED = """
class Slow(Squares):
    def __getitem__(self, index):
        if index == 40:
            print("now", flush=True)
            time.sleep(1.5)
        return index
try:
    for batch in fc.ArenaLoader(Slow(400), 2{options}):
        pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
batch = None
left = [t.name for t in threading.enumerate() if t.name.startswith("fastcache-loader")]
print(left, flush=True)
"""


@pytest.mark.parametrize("options", ["", ", prefetch_factor=0"])
def test_ctrl_c_reaches_a_loop_that_waits(options):
    text = PROGRAM.format(body=INTERRUPTED.format(options=options))
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(__file__))}
    child = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert child.stdout.readline() == "now\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out) == (0, "interrupted\n[]\n")


FORKED = """
loader = fc.ArenaLoader(photo_set(60), 2, prefetch_factor=4)
for k, batch in enumerate(loader):
    pid = os.fork() if k % 5 == 2 else None
    if pid == 0:
        code = 0
        own = [labels.tolist() for _, labels in loader]
        code += len(own) != 30
        del own
        {child}
        os._exit(code) if {hard} else sys.exit(code)
    if pid is not None:
        assert os.waitpid(pid, 0)[1] == 0
print(k)
"""


@pytest.mark.parametrize("hard", [True, False])
def test_children_may_be_forked_in_the_middle(hard):
    code, out, err = program(FORKED.format(child="pass", hard=hard))
    assert (code, out) == (0, "29\n"), err


def test_a_forked_child_cannot_go_on_with_its_parents_iteration():
    batches = iter(fc.ArenaLoader(Squares(60), 2))
    next(batches)
    batches._ahead._pid -= 1  # as a child sees it
    with pytest.raises(ForkedError, match=r"iter\(loader\)"):
        next(batches)
    batches._ahead._pid += 1


def test_workers_of_another_loader_may_be_forked_in_the_middle():
    ds = photo_set(60)
    outer = fc.ArenaLoader(ds, 4)
    inner = fc.ArenaLoader(ds, 16, num_workers=1, multiprocessing_context="fork")
    for k, _ in enumerate(outer):
        if k % 6 == 0:
            assert sum(len(labels) for _, labels in inner) == 60
    assert not loader_threads()
