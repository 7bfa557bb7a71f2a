"""The fields as scikit-learn's estimators: parameters, pipelines, its own checks."""

import copy
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
from series_reference import gaf as slow_gaf

from fastcache.errors import FastcacheError
from fastcache.gaf import FieldStack, GramianAngularField, MarkovTransitionField, RecurrencePlot

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer, StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

STACK = FieldStack([GramianAngularField(6, method="both"), MarkovTransitionField(6, n_bins=4)])
FIELDS = [
    GramianAngularField(0.5, (0, 1), "d", dtype="uint8", out_range=(3, 9), n_jobs=2),
    MarkovTransitionField(n_bins=3, strategy="uniform", overlapping=True),
    RecurrencePlot(2, threshold="point", percentage=30),
    STACK,
]
every_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)


def two_classes(n: int = 60, t: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return slow and fast waves with some noise, and which is which."""
    rng = np.random.default_rng(4)
    y = np.arange(n) % 2
    phase = rng.uniform(0, 6, (n, 1))
    X = np.sin(np.linspace(0, 1, t) * (6 + 12 * y[:, None]) + phase)
    return X + rng.normal(scale=0.1, size=X.shape), y


# ---- parameters --------------------------------------------------------------------------------


@every_field
def test_parameters_are_what_was_given(field):
    parameters = field.get_params(deep=False)
    assert set(parameters) == set(inspect.signature(type(field)).parameters)
    for name, value in parameters.items():
        assert getattr(field, name) is value
    again = type(field)().set_params(**parameters) if field is not STACK else clone(field)
    assert again.get_params(deep=False).keys() == parameters.keys()
    assert repr(again) == repr(field)


@every_field
def test_clones_and_copies_do_the_same(field):
    X, _ = two_classes(6, 12)
    expected = field.transform(X)
    for other in (
        clone(field),
        copy.copy(field),
        copy.deepcopy(field),
        pickle.loads(pickle.dumps(field)),
        clone(field).fit(X),
    ):
        assert other is not field and type(other) is type(field)
        np.testing.assert_array_equal(other.transform(X), expected)
    assert len(pickle.dumps(field)) < 2000


def test_set_params():
    field = GramianAngularField()
    assert field.set_params(method="d", dtype="uint8") is field
    assert field.set_params() is field
    X, _ = two_classes(3, 12)
    expected = GramianAngularField(method="d", dtype="uint8").transform(X)
    np.testing.assert_array_equal(field.transform(X), expected)
    with pytest.raises(ValueError, match="metod") as info:
        field.set_params(metod="s")
    assert "method" in str(info.value)
    assert isinstance(info.value, FastcacheError)
    assert field.method == "d"


def test_representations():
    assert repr(GramianAngularField()) == "GramianAngularField()"
    field = GramianAngularField(image_size=24, method="both", n_jobs=2)
    assert repr(field) == "GramianAngularField(image_size=24, method='both', n_jobs=2)"
    assert "GramianAngularField" in repr(STACK) and "n_bins=4" in repr(STACK)


def test_wrong_parameters_wait_until_they_are_used():
    """As scikit-learn asks: __init__ keeps what it is given, clone and set_params work with it."""
    field = clone(GramianAngularField(image_size="wide", dtype="f0", n_jobs="all"))
    assert field.image_size == "wide"
    assert field.fit(None) is field


def test_fit_is_stateless():
    X, y = two_classes(5, 12)
    field = GramianAngularField()
    before = dict(vars(field))
    expected = field.transform(X)  # not fitted, as in pyts
    assert field.fit() is field and field.fit(X) is field and field.fit(X, y) is field
    np.testing.assert_array_equal(field.transform(X), expected)
    np.testing.assert_array_equal(field.fit_transform(X, y), expected)
    np.testing.assert_array_equal(field.fit(X).transform(X[:, :7]), field.transform(X[:, :7]))
    assert {name: vars(field)[name] for name in before} == before


def test_deep_parameters_of_a_stack():
    nested = clone(STACK)
    assert nested.fields is not STACK.fields
    assert nested.get_params()["fields"] is nested.fields
    X, _ = two_classes(3, 12)
    planes = [field.transform(X).reshape(3, -1, 6, 6) for field in nested.fields]
    np.testing.assert_array_equal(nested.transform(X), np.concatenate(planes, axis=1))


# ---- pipelines ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        GramianAngularField(12, flatten=True),
        GramianAngularField(12, method="both", flatten=True, dtype="float64"),
        MarkovTransitionField(12, n_bins=4, flatten=True),
        RecurrencePlot(2, flatten=True),
        FieldStack(STACK.fields, flatten=True),
    ],
    ids=lambda field: type(field).__name__,
)
def test_pipelines_learn(field):
    X, y = two_classes()
    model = make_pipeline(field, LogisticRegression(max_iter=2000))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.8
    fitted = pickle.loads(pickle.dumps(model.fit(X, y)))
    np.testing.assert_array_equal(fitted.predict(X), model.predict(X))
    assert "GramianAngularField" in model._repr_html_() or "Field" in repr(model) or repr(model)


def test_pipelines_search_and_nest():
    X, y = two_classes(40)
    model = Pipeline(
        [
            ("scale", StandardScaler()),
            ("image", GramianAngularField(flatten=True)),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    choices = {"image__image_size": [6, 0.5], "image__method": ["s", "d"]}
    search = GridSearchCV(model, choices, cv=2, n_jobs=1).fit(X, y)
    assert set(search.best_params_) == set(choices)
    assert search.best_score_ > 0.7

    union = FeatureUnion(
        [
            ("plain", FunctionTransformer()),
            ("image", GramianAngularField(6, flatten=True)),
        ]
    )
    assert union.fit_transform(X).shape == (40, X.shape[1] + 36)


def test_in_other_processes():
    X, y = two_classes(20)
    model = make_pipeline(GramianAngularField(6, flatten=True), LogisticRegression(max_iter=500))
    alone = cross_val_score(model, X, y, cv=2, n_jobs=1)
    np.testing.assert_array_equal(cross_val_score(model, X, y, cv=2, n_jobs=2), alone)


# ---- data frames -------------------------------------------------------------------------------


def test_data_frames():
    """Frames go in; flat images come out as one when asked for. Images themselves stay arrays."""
    pandas = pytest.importorskip("pandas")
    X, _ = two_classes(5, 8)
    frame = pandas.DataFrame(X, index=list("abcde"))
    field = GramianAngularField(4, flatten=True)
    flat = field.transform(frame)
    np.testing.assert_array_equal(flat, field.transform(X))
    out = clone(field).set_output(transform="pandas").fit(frame).transform(frame)
    assert isinstance(out, pandas.DataFrame)
    assert list(out.index) == list("abcde")
    assert list(out.columns) == list(field.get_feature_names_out(frame.columns))
    np.testing.assert_array_equal(out.to_numpy(), flat)
    listed = clone(field).set_output(transform="pandas").fit_transform(X.tolist())
    np.testing.assert_array_equal(listed.to_numpy(), flat)
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(field.transform(X), pandas.DataFrame)
    model = make_pipeline(StandardScaler(), field).set_output(transform="pandas")
    assert list(clone(model).fit_transform(frame).columns) == list(out.columns)
    with pytest.raises((FastcacheError, ValueError)):
        GramianAngularField(4).set_output(transform="pandas").fit(frame).transform(frame)


def test_the_default_output_is_an_array():
    X, _ = two_classes(5, 8)
    field = GramianAngularField(4).set_output(transform="default")
    assert type(field.fit_transform(X)) is np.ndarray
    assert GramianAngularField().set_output() is not None
    with pytest.raises(ValueError, match="transform"):
        GramianAngularField(4, flatten=True).set_output(transform="paper").fit(X).transform(X)


# ---- scikit-learn's checks ---------------------------------------------------------------------

# What scikit-learn asks of every estimator and does not fit here, each with the reason.
NOTHING_LEARNT = "fit learns nothing: series of any length may follow, as in pyts"
LEFT_OUT = {
    "check_n_features_in": NOTHING_LEARNT,
    "check_n_features_in_after_fitting": NOTHING_LEARNT,
}


@pytest.mark.parametrize(
    "field",
    [
        GramianAngularField(flatten=True, dtype="float64"),
        MarkovTransitionField(n_bins=2, strategy="uniform", flatten=True, dtype="float64"),
        RecurrencePlot(flatten=True, dtype="float64"),
    ],
    ids=lambda field: type(field).__name__,
)
@pytest.mark.filterwarnings("ignore:Some quantiles are equal:UserWarning")
@pytest.mark.filterwarnings("ignore:Estimator .* does not inherit from:UserWarning")
def test_checks_of_scikit_learn(field):
    outcomes = check_estimator(field, expected_failed_checks=LEFT_OUT, on_skip=None, on_fail=None)
    failed = {
        one["check_name"]: repr(one["exception"]) for one in outcomes if one["status"] == "failed"
    }
    assert not failed
    passed = {one["check_name"] for one in outcomes if one["status"] == "passed"}
    assert len(passed) > 25
    # What is left out fails indeed: nothing stands in the list that holds already.
    assert not passed & set(LEFT_OUT)


def test_gaf_needs_neither_torch_nor_scikit_learn():
    code = (
        "import sys\n"
        "sys.modules.update(torch=None, sklearn=None, pandas=None)\n"
        "import numpy as np\n"
        "from fastcache.gaf import GramianAngularField\n"
        "field = GramianAngularField(3)\n"
        "field.set_params(method='d').get_params()\n"
        "print(field.fit_transform(np.eye(4)).shape, repr(field))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(4, 3, 3)")


def test_values_in_a_pipeline_are_the_oracles():
    X, _ = two_classes(4, 20)
    model = make_pipeline(StandardScaler(), GramianAngularField(7, dtype="float64"))
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(model.fit_transform(X), slow_gaf(scaled, 7), rtol=0, atol=1e-12)
