"""Pictures of series and their fields: what is drawn, not how it looks."""

import subprocess
import sys

import numpy as np
import pytest

import fastcache as fc
from fastcache.errors import ArgumentError, MissingPackageError
from fastcache.gaf import gramian_angular_field

matplotlib = pytest.importorskip("matplotlib")

WAVE = np.sin(np.linspace(0, 11, 80)) + np.linspace(0, 1, 80)


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def test_a_series_its_polar_form_and_its_fields():
    figure = fc.plots.series_fields(WAVE, image_size=20)
    line, polar, summation, difference = panels(figure)
    np.testing.assert_array_equal(line.lines[0].get_ydata(), WAVE)
    means = WAVE.reshape(20, 4).mean(1)
    np.testing.assert_allclose(line.lines[1].get_ydata(), means)
    scaled = 2 * (means - means.min()) / np.ptp(means) - 1
    np.testing.assert_allclose(np.cos(polar.lines[0].get_xdata()), scaled, atol=1e-12)
    assert (np.diff(polar.lines[0].get_ydata()) > 0).all()
    wanted = gramian_angular_field([WAVE], 20, method="both", dtype="float64")[0]
    for axes, field in zip((summation, difference), wanted):
        np.testing.assert_array_equal(axes.images[0].get_array(), field)
        assert axes.images[0].get_clim() == (-1, 1)


def test_channels_are_rows(tmp_path):
    figure = fc.plots.series_fields([WAVE, WAVE[::-1], 0 * WAVE], names=["a", "b", "flat"])
    assert len(panels(figure)) == 12
    figure.savefig(tmp_path / "fields.png")
    assert (tmp_path / "fields.png").stat().st_size > 10_000


def test_drawn_into_the_users_figure():
    figure = matplotlib.figure.Figure()
    assert fc.plots.series_fields(WAVE / 2 - 0.5, sample_range=None, figure=figure) is figure
    assert len(panels(figure)) == 4


def test_pyplot_is_left_alone():
    program = (
        "import sys, numpy as np, fastcache as fc; fc.plots.series_fields(np.arange(9.0));"
        "print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False False", done.stderr


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros((13, 9)), {}, "up to 12 channels"),
        (np.zeros((2, 3, 9)), {}, "up to 12 channels"),
        ([1.0, np.nan], {}, "NaN"),
        (WAVE, {"image_size": 99}, "lower than or equal to"),
        (WAVE, {"names": ["a", "b"]}, "2 names for 1"),
        ([], {}, "0 feature"),
    ],
)
def test_what_cannot_be_drawn(x, options, message):
    with pytest.raises(ArgumentError, match=message):
        fc.plots.series_fields(x, **options)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        fc.plots.series_fields(WAVE)


@pytest.mark.parametrize("x", [[[1, 2], [1]], 5.0, None])
def test_what_is_no_series(x):
    with pytest.raises(ArgumentError):
        fc.plots.series_fields(x)
