"""Stacks of transforms: planes in order, what must agree, parameters, clones, datasets."""

import re

import numpy as np
import pytest

import fastcache as fc
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf import FieldStack, GramianAngularField, MarkovTransitionField, RecurrencePlot


def walk(*shape: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng((seed, *shape)).normal(size=shape), axis=-1)


def three(size: int = 24, dtype: str = "float32") -> list[fc.gaf.SeriesTransform]:
    return [
        GramianAngularField(size, method="both", dtype=dtype),
        MarkovTransitionField(size, dtype=dtype),
        GramianAngularField(size, (0, 1), dtype=dtype),
    ]


# ---- images ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_planes_are_the_members_in_order(dtype):
    X = walk(5, 48)
    images = FieldStack(three(dtype=dtype)).transform(X)
    assert images.shape == (5, 4, 24, 24) and images.dtype == dtype
    alone = [field.transform(X).reshape(5, -1, 24, 24) for field in three(dtype=dtype)]
    np.testing.assert_array_equal(images, np.concatenate(alone, axis=1))


def test_channels():
    """All channels of a field before those of the next one."""
    X = walk(3, 2, 48)
    images = FieldStack(three()).transform(X)
    assert images.shape == (3, 8, 24, 24)
    alone = [field.transform(X) for field in three()]
    np.testing.assert_array_equal(images, np.concatenate(alone, axis=1))
    for k in range(2):
        one = FieldStack(three()).transform(X[:, k])
        np.testing.assert_array_equal(images[:, k::2], one)


def test_a_stack_flattens_and_its_members_do_not():
    X = walk(4, 30)
    fields = [RecurrencePlot(flatten=True, n_jobs=1), GramianAngularField(flatten=True, n_jobs=0)]
    images = FieldStack(fields).transform(X)
    assert images.shape == (4, 2, 30, 30)
    flat = FieldStack(fields, flatten=True).transform(X)
    np.testing.assert_array_equal(flat, images.reshape(4, -1))
    assert FieldStack([RecurrencePlot()]).transform(X).shape == (4, 30, 30)


def test_out_and_threads():
    X = walk(200, 48)
    alone = FieldStack(three(), n_jobs=1).transform(X)
    out = np.empty_like(alone)
    assert FieldStack(three(), n_jobs=2).transform(X, out=out) is out
    np.testing.assert_array_equal(out, alone)


def test_stacks_of_stacks():
    X = walk(2, 48)
    nested = FieldStack([FieldStack(three()[:1]), FieldStack(three()[1:])])
    np.testing.assert_array_equal(nested.transform(X), FieldStack(three()).transform(X))


def test_refusals_of_any_member():
    X = walk(3, 24)
    stack = FieldStack([MarkovTransitionField(), GramianAngularField(sample_range=None)])
    with pytest.raises(ArgumentError, match=r"between -1 and 1\. Sample 0 has"):
        stack.transform(X * 10)
    X[2, 0] = np.nan
    with pytest.raises(ArgumentError, match=r"contains NaN\. Sample 2 does"):
        stack.transform(X)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_datasets(dtype):
    """B1, B5: fields of one pass over the windows are one transform of an arena."""
    pytest.importorskip("torch")
    x = walk(2, 300)
    stack = FieldStack(three(dtype=dtype))
    ds = fc.ArenaDataset(fc.sources.Series(x, window=48, stride=5), transform=stack)
    wanted = stack.transform(np.stack([x[:, k : k + 48] for k in range(0, 253, 5)]))
    np.testing.assert_array_equal(np.stack(ds.__getitems__(range(len(ds)))), wanted)
    np.testing.assert_array_equal(ds[3].numpy(), wanted[3])


@pytest.mark.parametrize(
    "field",
    [MarkovTransitionField(20), RecurrencePlot(2, 3), RecurrencePlot(threshold="point")],
    ids=repr,
)
def test_single_fields_in_datasets(field):
    pytest.importorskip("torch")
    x = walk(2, 300)
    ds = fc.ArenaDataset(fc.sources.Series(x, window=48, stride=5), transform=field)
    wanted = field.transform(np.stack([x[:, k : k + 48] for k in range(0, 253, 5)]))
    np.testing.assert_array_equal(np.stack(ds.__getitems__(range(len(ds)))), wanted)


def test_large_integers_in_datasets():
    """The arena's integers keep their differences, as an array's do."""
    pytest.importorskip("torch")
    steps = np.random.default_rng(1).integers(0, 9, (1, 60))
    x = steps + 2**60
    plot = RecurrencePlot(dtype="float64")
    ds = fc.ArenaDataset(fc.sources.Series(x, window=20), transform=plot)
    np.testing.assert_array_equal(
        ds[7].numpy(), plot.transform(steps[:, 7:27].reshape(1, 1, 20))[0]
    )


# ---- what must agree ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ([], ArgumentError, "'fields' is empty"),
        (GramianAngularField(), ArgumentTypeError, "'fields' must be a list of transforms"),
        ("GMR", ArgumentTypeError, "'fields' must be a list of transforms"),
        ([GramianAngularField(), np.sin], ArgumentTypeError, "fields[1] is <ufunc 'sin'>"),
        ([GramianAngularField], ArgumentTypeError, "fields[0] is <class"),
        (
            [GramianAngularField(8), MarkovTransitionField(8), RecurrencePlot(2)],
            ArgumentError,
            (
                "must have one size: those of fields[0], GramianAngularField(image_size=8), have "
                "8, those of fields[2], RecurrencePlot(dimension=2), have 19 for series of 20"
            ),
        ),
        (
            [GramianAngularField(), MarkovTransitionField(dtype="uint8")],
            ArgumentError,
            "must have one dtype: those of fields[0], GramianAngularField(), have float32",
        ),
        ([MarkovTransitionField(n_bins=1)], ArgumentError, "'n_bins' must be greater"),
    ],
)
def test_wrong_fields_wait_until_they_are_used(fields, error, text):
    stack = FieldStack(fields)
    with pytest.raises(error, match=re.escape(text)):
        stack.transform(walk(2, 20))


# ---- parameters --------------------------------------------------------------------------------


def test_parameters():
    stack = FieldStack(three())
    assert stack.get_params(deep=False) == {
        "fields": stack.fields,
        "flatten": False,
        "n_jobs": None,
    }
    deep = stack.get_params()
    assert deep["fields__1"] is stack.fields[1]
    assert deep["fields__0__method"] == "both" and deep["fields__1__n_bins"] == 8
    assert stack.set_params(fields__1__n_bins=5, flatten=True) is stack
    assert stack.fields[1].n_bins == 5 and stack.flatten
    plot = RecurrencePlot()
    given = stack.fields
    stack.set_params(fields__0=plot, fields__0__dimension=2)
    assert stack.fields[0] is plot and plot.dimension == 2
    assert given[0] is not plot  # the caller's list stays as it is
    stack.set_params(fields=[plot])
    assert stack.get_params()["fields__0__dimension"] == 2


@pytest.mark.parametrize("name", ["fields__3", "fields__x__n_bins", "fields__0__nbins", "field"])
def test_wrong_names(name):
    with pytest.raises(ArgumentError, match="Invalid parameter"):
        FieldStack(three()).set_params(**{name: 1})


def test_representation():
    stack = FieldStack([GramianAngularField(8), RecurrencePlot(2)], n_jobs=2)
    assert repr(stack) == (
        "FieldStack(fields=[GramianAngularField(image_size=8), RecurrencePlot(dimension=2)], "
        "n_jobs=2)"
    )


def test_clones():
    base = pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")
    stack = FieldStack(three(), flatten=True)
    copy = base.clone(stack)
    assert repr(copy) == repr(stack)
    assert all(a is not b for a, b in zip(copy.fields, stack.fields, strict=True))
    X = walk(2, 30)
    np.testing.assert_array_equal(copy.fit_transform(X), stack.transform(X))


def test_at_the_top():
    assert fc.FieldStack is FieldStack
