"""Gramian angular fields on torch's devices, against plain NumPy in float64 (B9, F2)."""

import copy
import pickle

import numpy as np
import pytest
import series_reference as reference
import torch

import fastcache as fc
from fastcache.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastcache.gaf import GramianAngularField
from fastcache.read.device import series_images

RNG = np.random.default_rng(5)
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
    ),
]


def walks(*shape):
    return RNG.standard_normal(shape).cumsum(-1)


def on_device(transform, x, device, **options):
    return fc.SeriesImages(transform, **options)(torch.from_numpy(x).to(device)).cpu()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("method", reference.METHODS)
@pytest.mark.parametrize("dtype", reference.DTYPES)
@pytest.mark.parametrize("shape", [(5, 40), (3, 4, 40)])
def test_b9_the_same_numbers_on_every_device(device, method, dtype, shape):
    for size in (1.0, 0.31, 17, 1):
        for overlapping in (False, True):
            for sample_range in ((-1, 1), (0, 1), (-0.3, 0.2)):
                x = walks(*shape)
                transform = GramianAngularField(
                    size, sample_range, method, overlapping, dtype=dtype
                )
                images = on_device(transform, x, device)
                assert images.dtype == getattr(torch, dtype)
                wanted = reference.gaf(x, size, sample_range, method, overlapping)
                reference.assert_stored(images.numpy(), wanted, dtype)
                assert images.shape == transform.transform(x).shape


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_is_float32_rounded(device):
    x = walks(4, 2, 30)
    images = on_device(GramianAngularField(dtype="bfloat16"), x, device)
    assert images.dtype == torch.bfloat16
    wanted = on_device(GramianAngularField(), x, device)
    assert torch.equal(images, wanted.to(torch.bfloat16))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("out_range", [(0, 1), (-3.5, 8), (0, 200)])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint16"])
def test_other_ranges(device, out_range, dtype):
    x = walks(6, 33)
    if dtype != "float32" and out_range[0] < 0:
        out_range = (3, 250)
    images = on_device(GramianAngularField(11, out_range=out_range, dtype=dtype), x, device)
    reference.assert_stored(images.numpy(), reference.gaf(x, 11), dtype, out_range)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, 1e16, -1e-300, 1.7e308])
@pytest.mark.parametrize("sample_range", [(-1, 1), (0.25, 1)])
def test_constant_series(device, value, sample_range):
    x = np.full((2, 31), value)
    images = on_device(GramianAngularField(7, sample_range, "both", dtype="float64"), x, device)
    assert (images[:, 1] == 0).all()
    np.testing.assert_allclose(images[:, 0], 2 * sample_range[0] ** 2 - 1, atol=1e-15)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "change", [lambda x: x + 1e6, lambda x: x * 1e-9, lambda x: x / abs(x).max() * 1.7e308]
)
def test_awkward_scales(device, change):
    """What is badly scaled goes another way; both ways are those of the C core."""
    x = change(walks(5, 64))
    transform = GramianAngularField(16, method="both", dtype="float64")
    np.testing.assert_allclose(
        on_device(transform, x, device).numpy(), transform.transform(x), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8", "int64", "bool"])
def test_series_of_any_type(device, dtype):
    x = torch.from_numpy(walks(4, 20) * 3).to(getattr(torch, dtype))
    wanted = GramianAngularField(dtype="float64").transform(x.double().numpy())
    images = fc.SeriesImages(GramianAngularField(dtype="float64"))(x.to(device)).cpu()
    np.testing.assert_allclose(images.numpy(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("device", DEVICES)
def test_tables_follow_device_and_length(device):
    module = fc.SeriesImages(GramianAngularField(8))
    for length in (40, 24, 40):
        x = walks(3, length)
        images = module(torch.from_numpy(x).to(device)).cpu()
        reference.assert_stored(images.numpy(), reference.gaf(x, 8), "float32")


def test_an_empty_batch():
    images = fc.SeriesImages(GramianAngularField(8, method="both"))(torch.empty(0, 3, 20))
    assert images.shape == (0, 6, 8, 8)


def test_flattened():
    x = walks(3, 2, 20)
    transform = GramianAngularField(method="both", flatten=True)
    np.testing.assert_allclose(
        on_device(transform, x, "cpu").numpy(), transform.transform(x), atol=5e-7
    )


# -- as a module -------------------------------------------------------------------------------


def test_copies_pickles_and_its_words():
    module = fc.SeriesImages(GramianAngularField(8, method="both"))
    x = torch.from_numpy(walks(2, 30))
    wanted = module(x)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(twin(x), wanted)
    assert "GramianAngularField(image_size=8, method='both')" in repr(module)
    assert not list(module.parameters())
    assert not module.state_dict()


@pytest.mark.parametrize("method", reference.METHODS)
def test_gradients(method):
    transform = GramianAngularField(4, (-0.9, 0.9), method, dtype="float64")
    x = torch.from_numpy(walks(2, 3, 10)).requires_grad_()
    assert torch.autograd.gradcheck(fc.SeriesImages(transform), (x,))


def test_gradients_at_the_ends_are_numbers():
    x = torch.from_numpy(walks(2, 12)).requires_grad_()
    fc.SeriesImages(GramianAngularField())(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_gradients_after_a_call_in_inference_mode():
    """Training loops check a model in inference mode before they train it."""
    module = fc.SeriesImages(GramianAngularField(4))
    x = torch.from_numpy(walks(2, 12)).requires_grad_()
    with torch.inference_mode():
        module(x)
    module(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_autocast_has_no_part_in_it():
    x = torch.from_numpy(walks(4, 50)).float()
    module = fc.SeriesImages(GramianAngularField(method="both"))
    wanted = module(x)
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        assert torch.equal(module(x), wanted)


def test_models_that_contain_it_compile_as_a_whole():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.images = fc.SeriesImages(GramianAngularField(8))
            self.layer = torch.nn.Conv2d(3, 2, 3)

        def forward(self, x):
            return self.layer(self.images(x))

    model, x = Model(), torch.from_numpy(walks(4, 3, 20)).float()
    wanted = model(x)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), wanted)


# -- who makes the images ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compile_", "device", "triton", "wanted"),
    [
        ("auto", "cpu", True, "torch"),
        ("auto", "cuda", True, "torch.compile"),
        ("auto", "cuda", False, "torch"),
        (False, "cuda", True, "torch"),
        (True, "cpu", False, "torch.compile"),
        (True, "cuda", True, "torch.compile"),
    ],
)
def test_what_was_chosen_is_told(monkeypatch, compile_, device, triton, wanted):
    monkeypatch.setattr(series_images, "find_spec", lambda name: object() if triton else None)
    assert fc.SeriesImages(GramianAngularField(), compile=compile_).backend(device) == wanted


def test_a_kernel_that_cannot_be_had(monkeypatch):
    monkeypatch.setattr(series_images, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install triton"):
        fc.SeriesImages(GramianAngularField(), compile=True).backend("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_compiled_and_plain_agree_on_cuda():
    x = torch.from_numpy(walks(8, 5, 96)).cuda()
    transform = GramianAngularField(method="both")
    torch.backends.cuda.matmul.allow_tf32 = True
    plain = fc.SeriesImages(transform, compile=False)(x)
    fused = fc.SeriesImages(transform, compile=True)(x)
    torch.testing.assert_close(fused, plain, rtol=0, atol=5e-7)
    wanted = reference.gaf(x.cpu().numpy(), method="both")
    reference.assert_stored(plain.cpu().numpy(), wanted, "float32")


# -- requests that cannot be met ---------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite(value):
    x = torch.from_numpy(walks(3, 20))
    x[1, 4] = value
    module = fc.SeriesImages(GramianAngularField())
    with pytest.raises(ArgumentError, match="NaN" if np.isnan(value) else "infinity"):
        module(x)
    assert fc.SeriesImages(GramianAngularField(), check=False)(x).shape == (3, 20, 20)


def test_what_is_out_of_range():
    x = torch.linspace(-1, 1.01, 9).reshape(1, 9)
    with pytest.raises(ArgumentError, match="between -1 and 1"):
        fc.SeriesImages(GramianAngularField(sample_range=None))(x)


@pytest.mark.parametrize(
    ("series", "error", "message"),
    [
        (torch.zeros(5), ArgumentError, "shape"),
        (torch.zeros(1, 2, 3, 4), ArgumentError, "shape"),
        (torch.zeros(2, 0), ArgumentError, "no values"),
        (torch.zeros(2, 0, 4), ArgumentError, "no values"),
        (torch.zeros(2, 4, dtype=torch.complex64), ArgumentError, "Complex"),
        (np.zeros((2, 4)), ArgumentTypeError, "tensor"),
        (torch.ones(2, 4).to_sparse(), ArgumentTypeError, "dense"),
        (torch.nested.nested_tensor([torch.ones(2, 4)]), ArgumentTypeError, "dense"),
        (torch.zeros(2, 3), ArgumentError, "lower than or equal to"),
    ],
)
def test_series_that_are_none(series, error, message):
    with pytest.raises(error, match=message):
        fc.SeriesImages(GramianAngularField(4))(series)


@pytest.mark.parametrize(
    ("transform", "options", "error"),
    [
        (torch.nn.ReLU(), {}, ArgumentTypeError),
        (None, {}, ArgumentTypeError),
        (GramianAngularField(), {"compile": "yes"}, ArgumentError),
        (GramianAngularField(), {"check": 1}, ArgumentError),
    ],
)
def test_modules_that_cannot_be_made(transform, options, error):
    with pytest.raises(error):
        fc.SeriesImages(transform, **options)
