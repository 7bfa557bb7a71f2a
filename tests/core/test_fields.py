"""Jobs of the C core that make images of series: what they were told cannot change later."""

import numpy as np
import pytest

from fastcache._core.field_specs import GASF, FieldSpec
from fastcache._core.fields import FieldJob
from fastcache.errors import ArgumentError


def gramian(size, **segments):
    ranges = {"sample_range": (-1, 1), "out_low": -1, "out_high": 1}
    return FieldSpec(GASF, "float32", size, **ranges, **segments)


def image(spec, series, out):
    FieldJob.of_array(spec, series, "float64", out, planes=1).run()
    return out


def test_a_spec_is_set_up_once():
    """A job looks at its spec while threads run."""
    spec = gramian(4)
    with pytest.raises(ArgumentError, match="once"):
        spec.__init__(GASF, "float64", 4000, out_low=-1, out_high=1)
    assert spec.size == 4


def test_segments_are_kept_as_they_were():
    series, out = np.array([[[1.0, 3.0, 5.0, 4.0]]]), np.empty((1, 2, 2), np.float32)
    start, end = np.array([0, 2]), np.array([2, 4])
    spec = gramian(2, start=start, end=end)
    before = image(spec, series, out).copy()
    start[:], end[:] = -(1 << 40), 1 << 40
    np.testing.assert_array_equal(image(spec, series, out), before)


def test_offsets_are_kept_as_they_were():
    series, offsets = np.arange(8.0), np.array([0, 32])
    out = np.empty((2, 4, 4), np.float32)
    form = {"channels": 1, "channel_bytes": 32, "length": 4, "planes": 1}
    job = FieldJob.of_rows(gramian(4), series, "float64", offsets, out, **form)
    offsets[:] = 1 << 44
    job.run()
    np.testing.assert_allclose(out[0], out[1], atol=1e-6)


@pytest.mark.parametrize("kind", [-1, 99])
def test_kinds_that_there_are_not(kind):
    spec = FieldSpec(kind, "float32", 4, out_low=-1, out_high=1)
    assert spec.images == 0
    assert spec.scratch(4) == 0
    with pytest.raises(ArgumentError):
        image(spec, np.ones((1, 1, 4)), np.empty((1, 4, 4), np.float32))


def test_a_job_without_a_spec():
    with pytest.raises(TypeError):
        image(None, np.ones((1, 1, 4)), np.empty((1, 4, 4), np.float32))


def test_jobs_can_be_called_off():
    out = np.full((1, 4, 4), 7, np.float32)
    job = FieldJob.of_array(gramian(4), np.ones((1, 1, 4)), "float64", out, planes=1)
    job.cancel()
    job.run()
    assert (out == 7).all()
