"""Digests of fields of a fixed set of series: one line each, the same on every instruction set.

Run by hand or by tests/gaf, each time with another FASTCACHE_CPU.
"""

import hashlib
import warnings

import numpy as np

from fastcache.gaf import GramianAngularField, MarkovTransitionField, RecurrencePlot

DTYPES = ("float32", "float64", "float16", "uint16", "uint8")


def inputs() -> list[np.ndarray]:
    """Widths around those of vectors; steep, flat, far from zero, beyond the caches."""
    rng = np.random.default_rng(2024)
    widths = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 95, 96, 127, 130)
    made = [np.cumsum(rng.normal(size=(3, t)), axis=1) for t in widths]
    made += [made[-1] * 1e-8 + 1e3, np.rint(made[-2]), made[-3] * 1e300, np.ones((2, 40))]
    made.append(rng.normal(size=(2, 3, 70)))
    made.append(np.cumsum(rng.normal(size=(120, 300)), axis=1))
    return made


def digests() -> list[str]:
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # bins that coincide
        for number, X in enumerate(inputs()):
            for dtype in DTYPES:
                fields = [
                    GramianAngularField(method="both", dtype=dtype),
                    GramianAngularField(0.6, (-0.4, 0.9), "both", True, dtype=dtype),
                    MarkovTransitionField(dtype=dtype),
                    MarkovTransitionField(0.6, 5, "uniform", True, dtype=dtype),
                    RecurrencePlot(threshold="point", dtype=dtype),
                ]
                if dtype.startswith("float"):
                    fields += [RecurrencePlot(dtype=dtype), RecurrencePlot(0.03, dtype=dtype)]
                for k, field in enumerate(fields):
                    digest = hashlib.sha256(field.transform(X).tobytes()).hexdigest()
                    lines.append(f"{number} {dtype} {k} {digest}")
    return lines


def threaded() -> bytes:
    X = np.random.default_rng(2).normal(size=(20, 80))
    return GramianAngularField(n_jobs=2).transform(X).tobytes()


def send(sender) -> None:
    """Send ``threaded()``: what a child process does."""
    sender.send(threaded())


if __name__ == "__main__":
    print("\n".join(digests()))
