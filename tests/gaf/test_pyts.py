"""fastcache beside pyts 0.14.1: random parameters, and pyts's own tests run on our classes."""

import functools
import importlib.util
import inspect
import warnings
from types import ModuleType

import numpy as np
import pytest
import series_reference as reference

from fastcache import gaf

numba = pytest.importorskip("numba", reason="pyts, the oracle, is not installed with numba")


def compile_when_called(*signatures, njit=numba.njit, **options):
    """Stand for ``numba.njit`` while pyts is imported.

    It asks for every function with every signature at once, used or not: twenty seconds, for each
    process that collects tests.
    """
    given = [one for one in signatures if callable(one)]
    return njit(*given, **options)


with pytest.MonkeyPatch.context() as patch:
    patch.setattr(numba, "njit", compile_when_called)
    pyts = pytest.importorskip("pyts.image", reason="pyts, the oracle, is not installed")

KINDS = ("GramianAngularField", "MarkovTransitionField", "RecurrencePlot")
SETS = 10_000
OURS = {kind: functools.partial(getattr(gaf, kind), dtype="float64") for kind in KINDS}


# ---- random parameters -------------------------------------------------------------------------


def series(rng: np.random.Generator, n: int, t: int) -> np.ndarray:
    """Return noise, walks, steps (with ties and constant stretches), or values near each other."""
    kind = rng.integers(5)
    if kind == 0:
        return rng.normal(size=(n, t))
    if kind == 1:
        return np.cumsum(rng.normal(size=(n, t)), axis=1)
    if kind == 2:
        return rng.integers(-2, 3, (n, t)).astype(np.float64)
    if kind == 3:
        return rng.normal(size=(n, t)) * 10.0 ** rng.integers(-6, 7)
    return rng.uniform(-1, 1, (n, t)) + rng.choice([0.0, 3.0, -11.0])


def size(rng: np.random.Generator, t: int) -> float:
    return float(1 - rng.random()) if rng.random() < 0.5 else int(rng.integers(1, t + 1))


def gramian_set(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, object]]:
    t = int(rng.integers(2, 61))
    X = series(rng, int(rng.integers(1, 5)), t)
    a, b = np.sort(rng.uniform(-1, 1, 2))
    sample_range = [(-1, 1), (0, 1), (float(a), float(b)), None][rng.integers(4)]
    if sample_range is None:
        X /= max(1.0, np.abs(X).max())
    return X, {
        "image_size": size(rng, t),
        "sample_range": sample_range,
        "method": str(rng.choice(["s", "summation", "d", "difference"])),
        "overlapping": bool(rng.integers(2)),
    }


def well_scaled(X: np.ndarray, parameters: dict[str, object]) -> bool:
    """Whether pyts's own rounding stays below the tolerance: no series lies far from zero.

    A series whose values are many times its range loses that many units of its last place there,
    and their root beside +-1.  Constant series are exact.
    """
    if parameters["sample_range"] is None:
        return True
    a, b = parameters["sample_range"]
    means = reference.size_of(parameters["image_size"], X.shape[1])
    for x in X:
        values = reference.paa(x, means, bool(parameters["overlapping"]))
        extent = np.ptp(values)
        if x.min() == x.max():
            continue
        if extent < 10 * np.finfo(float).eps or np.abs(values).max() * (b - a) > 64 * extent:
            return False
    return True


def test_gramian_fields_of_random_parameters():
    """10,000 sets within 1e-12; data that is badly scaled for pyts beside the slow definition."""
    rng = np.random.default_rng(20260101)
    compared = passed_over = 0
    while compared < SETS:
        X, parameters = gramian_set(rng)
        theirs = pyts.GramianAngularField(**parameters).transform(X)
        ours = OURS["GramianAngularField"](**parameters).transform(X)
        if well_scaled(X, parameters):
            error = np.max(np.abs(ours - theirs))
            assert error <= 1e-12, (compared, parameters, X.shape, error)
            compared += 1
        else:
            slow = reference.gaf(X, **parameters)
            assert np.max(np.abs(ours - slow)) <= 1e-12, (compared, parameters)
            passed_over += 1
    assert passed_over < SETS / 10


def markov_set(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, object]]:
    t = int(rng.integers(1, 61))
    return series(rng, int(rng.integers(1, 5)), t), {
        "image_size": size(rng, t),
        "n_bins": int(rng.choice([2, 3, 5, 8, 30, 100])),
        "strategy": str(rng.choice(["quantile", "uniform", "normal"])),
        "overlapping": bool(rng.integers(2)),
    }


def recurrence_set(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, object]]:
    dimension, delay = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    t = int(rng.integers(max(1 + (dimension - 1) * delay, delay, dimension), 61))
    return series(rng, int(rng.integers(1, 5)), t), {
        "dimension": dimension,
        "time_delay": delay,
        "threshold": [None, "point", "distance", 0.5, 3][rng.integers(5)],
        "percentage": [10, 0, 100, 33.3, 50, 0.01, 99][rng.integers(7)],
    }


def test_neighbours_of_random_parameters():
    """Markov transition fields within 1e-12, with the same warnings; recurrence plots alike."""
    rng = np.random.default_rng(20260102)
    for _ in range(2000):
        for kind, draw, tolerance in [
            ("MarkovTransitionField", markov_set, 1e-12),
            ("RecurrencePlot", recurrence_set, 0),
        ]:
            X, parameters = draw(rng)
            results, texts = [], []
            for transform in (getattr(pyts, kind)(**parameters), OURS[kind](**parameters)):
                with warnings.catch_warnings(record=True) as seen:
                    warnings.simplefilter("always")
                    results.append(transform.transform(X))
                texts.append([str(one.message) for one in seen])
            error = np.max(np.abs(results[0] - results[1]))
            assert error <= tolerance, (kind, parameters, X.shape, error)
            assert texts[0] == texts[1], (kind, parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_same_parameters_and_defaults(kind):
    """Ours begin with theirs, in their order; what is ours besides comes after, by name only."""
    signature = inspect.signature(getattr(pyts, kind)).parameters
    theirs = {name: parameter.default for name, parameter in signature.items()}
    ours = getattr(gaf, kind)().get_params()
    assert {name: ours[name] for name in theirs} == theirs
    values = list(theirs.values())
    assert getattr(gaf, kind)(*values).get_params() == ours
    assert list(inspect.signature(getattr(gaf, kind)).parameters)[: len(values)] == list(theirs)
    with pytest.raises(TypeError):
        getattr(gaf, kind)(*values, "float64")


@pytest.mark.parametrize("kind", KINDS)
def test_the_slow_definition_is_theirs(kind):
    """The oracle of the other tests beside pyts, so that both are not wrong together."""
    rng = np.random.default_rng(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(200):
            X, parameters = gramian_set(rng)
            if kind == "MarkovTransitionField":
                parameters = {
                    "image_size": parameters["image_size"],
                    "overlapping": parameters["overlapping"],
                    "n_bins": int(rng.integers(2, 10)),
                    "strategy": str(rng.choice(["quantile", "uniform", "normal"])),
                }
            elif kind == "RecurrencePlot":
                parameters = {
                    "dimension": int(rng.integers(1, 3)),
                    "threshold": [None, "point", "distance", 0.7][rng.integers(4)],
                }
            elif not well_scaled(X, parameters):
                continue
            slow = {"G": reference.gaf, "M": reference.mtf, "R": reference.rp}[kind[0]]
            theirs = getattr(pyts, kind)(**parameters).transform(X)
            tolerance = 1e-12 * max(1.0, np.abs(X).max() if kind[0] == "R" else 0)
            np.testing.assert_allclose(slow(X, **parameters), theirs, rtol=0, atol=tolerance)


# ---- pyts's own tests --------------------------------------------------------------------------

HELPERS = {  # these call private functions of pyts, for which nothing of ours stands
    "test_actual_results_gasf",
    "test_actual_results_gadf",
    "test_markov_transition_matrix",
    "test_markov_transition_field",
    "test_aggregated_markov_transition_field",
    "test_actual_results_trajectories",
}


def adopted(module_name: str) -> type:
    """Return a class with pyts's test functions, in which the classes of pyts are ours."""
    spec = importlib.util.find_spec(f"pyts.image.tests.{module_name}")
    if spec is None or spec.loader is None:
        pytest.skip("this pyts came without its tests", allow_module_level=True)
    module: ModuleType = importlib.util.module_from_spec(spec)  # a copy: theirs stays as it is
    spec.loader.exec_module(module)
    for kind in KINDS:
        if hasattr(module, kind):
            setattr(module, kind, OURS[kind])
    found = {
        name: staticmethod(function)
        for name, function in vars(module).items()
        if name.startswith("test_") and callable(function) and name not in HELPERS
    }
    assert len(found) >= 3
    return type(f"TestPyts_{module_name}", (), found)


TestPytsGaf = adopted("test_gaf")
TestPytsMtf = adopted("test_mtf")
TestPytsRecurrence = adopted("test_recurrence")
TestPytsBounds = adopted("test_image_parameter_bounds")
