"""Threads, parts, instruction sets and memory: the same bits, no GIL, nothing held twice."""

import multiprocessing
import os
import subprocess
import sys
import threading

import fields_digest
import numpy as np
import pytest
from series_reference import DTYPES

from fastcache.gaf import GramianAngularField, gramian_angular_field


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return np.cumsum(np.random.default_rng(11).normal(size=(37, 3, 61)), axis=-1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_b3_any_number_of_threads(X, dtype):
    """B3: 1, 2, 3 and every usable core: bit-identical; more threads than series as well."""
    for image_size in (1.0, 20):
        first = GramianAngularField(image_size, method="both", dtype=dtype, n_jobs=1).transform(X)
        for n_jobs in (2, 3, -1, None, 64):
            field = GramianAngularField(image_size, method="both", dtype=dtype, n_jobs=n_jobs)
            assert field.transform(X).tobytes() == first.tobytes()
        assert field.transform(X[:1]).tobytes() == first[:1].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_b3_any_parts(X, dtype):
    """B3: the whole is its parts side by side, wherever it is cut."""
    field = GramianAngularField(0.8, method="both", dtype=dtype, n_jobs=2)
    whole = field.transform(X)
    for step in (1, 2, 5, 36):
        parts = [field.transform(X[start : start + step]) for start in range(0, len(X), step)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    single = field.transform(X.reshape(-1, 1, X.shape[-1])).reshape(len(X), 3, 2, 49, 49)
    assert np.ascontiguousarray(single.swapaxes(1, 2)).tobytes() == whole.tobytes()


@pytest.mark.parametrize("cpu", ["scalar", "avx2", "avx512"])
def test_b3_any_instruction_set(cpu):
    """B3: digests of a fixed set of inputs, each instruction set in a process of its own."""
    done = subprocess.run(
        [sys.executable, fields_digest.__file__],
        env={**os.environ, "FASTCACHE_CPU": cpu},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    if done.returncode and "FASTCACHE_CPU" in done.stderr:
        pytest.skip(f"this processor or build has no {cpu}")
    assert done.returncode == 0, done.stderr
    here = fields_digest.digests()
    assert len(here) > 100
    different = [a for a, b in zip(here, done.stdout.splitlines(), strict=True) if a != b]
    assert not different


def test_b1_runs_without_the_gil():
    """B1: another Python thread goes on meanwhile: it sees the images half done.

    No thread is made to give up the GIL here, so that this one can look only while the other has
    let go of it by itself.
    """
    X = np.random.default_rng(0).normal(size=(1500, 200))
    out = np.zeros((1500, 200, 200), np.float32)
    first, last = out[0, 0], out[-1, -1]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    looks = 0
    try:
        for _ in range(100):
            first[:] = last[:] = np.nan
            thread = threading.Thread(
                target=gramian_angular_field, args=(X,), kwargs={"out": out, "n_jobs": 1}
            )
            thread.start()
            while thread.is_alive():
                looks += int(first[0] == first[0] and last[-1] != last[-1])
                os.stat("/")  # lets go of the GIL
            thread.join()
            if looks > 20:
                break
    finally:
        sys.setswitchinterval(interval)
    assert looks > 20


def test_b1_threads_of_the_caller():
    """B1: many calls at once from Python's threads do not meet."""
    X = np.random.default_rng(3).normal(size=(8, 6, 90))
    field = GramianAngularField(method="both", n_jobs=2)
    expected = [field.transform(x).tobytes() for x in X]
    found: dict[int, list[bytes]] = {}

    def work(k: int) -> None:
        found[k] = [field.transform(x).tobytes() for x in X]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[k] for k in range(4)] == [expected] * 4


PEAK = """
import sys
import numpy as np
from fastcache.gaf import GramianAngularField

def kilobytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))

dtype, given = sys.argv[1], sys.argv[2] == "out"
field = GramianAngularField(method="both", dtype=dtype, n_jobs=2)
field.transform(np.random.default_rng(0).normal(size=(8, 128)))
shape = (1500, 128)
before = kilobytes("VmRSS")
X = np.random.default_rng(0).random(shape)
if given:
    out = np.empty((len(X), 2, 128, 128), dtype)
    images = field.transform(X, out=out)
else:
    images = field.transform(X)
print((kilobytes("VmHWM") - before) * 1024, X.nbytes + images.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("given", ["out", "none"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_b1_peak_is_input_output_and_one_percent(dtype, given):
    """B1: peak memory of a process; B5: a type that is written directly needs no second array."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, dtype, given],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    peak, needed = map(int, done.stdout.split())
    assert peak <= needed * 1.01


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_b1_the_same_bytes_in_child_processes(method):
    """B1: also after a fork of a process whose threads have worked already."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    expected = fields_digest.threaded()
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=fields_digest.send, args=(sender,))
    child.start()
    sender.close()
    try:
        assert receiver.recv() == expected
    finally:
        child.join(timeout=60)
        receiver.close()
