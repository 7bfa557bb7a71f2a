"""SeriesImages under what torch does with modules: compiled, trained, shared out (B9, F2)."""

import copy
import itertools
import shutil

import numpy as np
import pytest
import series_reference as reference
import torch

import fastcache as fc
from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf import GramianAngularField
from fastcache.read.device import device_fields, series_images

RNG = np.random.default_rng(6)
needs_cuda = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")


def walks(*shape):
    return torch.from_numpy(RNG.standard_normal(shape).cumsum(-1))


@pytest.fixture
def graphs(monkeypatch):
    """What the module compiles is run step by step, and each run is counted."""
    runs = []

    def backend(graph, _):
        def run(*inputs):
            runs.append(graph)
            return graph(*inputs)

        return run

    compile_ = torch.compile
    monkeypatch.setattr(
        series_images.torch,
        "compile",
        lambda function, options, **rest: compile_(function, backend=backend, **rest),
    )
    return runs


# -- compiled ----------------------------------------------------------------------------------


def test_many_kinds_of_images_in_one_process_are_all_compiled(graphs):
    """B9: torch.compile gives up in silence after eight kinds of calls of one function."""
    x = walks(2, 3, 40)
    kinds = list(itertools.product(reference.METHODS, ("float32", "float64", "uint8"), (1.0, 7)))
    assert len(kinds) > 2 * torch._dynamo.config.recompile_limit
    for count, (method, dtype, size) in enumerate(kinds, 1):
        transform = GramianAngularField(size, method=method, dtype=dtype)
        module = fc.SeriesImages(transform, compile=True)
        reference.assert_stored(
            module(x).numpy(), reference.gaf(x.numpy(), size, method=method), dtype
        )
        assert len(graphs) == count


def test_batches_lengths_and_modes_of_one_module_are_all_compiled(graphs):
    module = fc.SeriesImages(GramianAngularField(0.5), compile=True)
    calls = 0
    for batch, length in ((4, 40), (3, 40), (4, 30), (2, 96), (7, 18), (4, 40)):
        for grad in (False, True):
            x = walks(batch, 3, length).requires_grad_(grad)
            images = module(x)
            calls += 1
            wanted = reference.gaf(x.detach().numpy(), 0.5)
            reference.assert_stored(images.detach().numpy(), wanted, "float32")
    assert len(graphs) == calls


def test_angles_are_not_computed_again_for_each_pixel(graphs):
    """B9: roots and float64 stay out of the kernel, and nothing follows the concatenation.

    Nor do the ranges of other modules make this one's an argument.
    """
    for high in (1, 2, 3, 1):
        transform = GramianAngularField(method="both", out_range=(-1, high))
        fc.SeriesImages(transform, compile=True)(walks(4, 3, 20))
    nodes = [node for node in graphs[-1].graph.nodes if node.op.startswith("call")]
    assert not any("sqrt" in str(node.target) for node in nodes)
    assert nodes[-1].target is torch.cat
    inputs = [node for node in graphs[-1].graph.nodes if node.op == "placeholder"]
    assert [node.meta["example_value"].dtype for node in inputs] == [torch.float32] * 2


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("dtype", [*reference.DTYPES, "bfloat16"])
def test_a_compiled_kernel_on_the_cpu(dtype):
    """B9: by torch's own compiler the images are those of plain torch, bit for bit."""
    x = walks(3, 4, 33)
    transform = GramianAngularField(17, method="both", dtype=dtype)
    plain = fc.SeriesImages(transform, compile=False)(x)
    fused = fc.SeriesImages(transform, compile=True)(x)
    assert fused.dtype == plain.dtype
    assert torch.equal(fused, plain)


@pytest.mark.slow
@needs_compiler
def test_gradients_of_a_compiled_kernel():
    grads = []
    x = walks(3, 4, 33)
    weights = torch.randn(3, 8, 33, 33)
    for compile_ in (False, True):
        leaf = x.clone().requires_grad_()
        images = fc.SeriesImages(GramianAngularField(method="both"), compile=compile_)(leaf)
        (images * weights).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("compile_", [False, "auto"])
def test_fields_are_symmetric_on_cuda(compile_):
    """B9: no product is fused with a sum: GADF is antisymmetric, and 0 on its diagonal."""
    module = fc.SeriesImages(GramianAngularField(method="both"), compile=compile_)
    summation, difference = module(walks(5, 96).cuda()).unbind(1)
    assert torch.equal(summation, summation.mT)
    assert torch.equal(difference, -difference.mT)
    assert (difference.diagonal(dim1=-2, dim2=-1) == 0).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tf32_has_no_part_in_it(monkeypatch):
    """B9: the same bits whatever the flags say."""
    x = walks(6, 2, 64).cuda()
    images = []
    for allowed in (False, True):
        monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", allowed)
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
        images.append(fc.SeriesImages(GramianAngularField(method="both"))(x))
    assert torch.equal(*images)


def test_a_model_that_is_compiled_first():
    """The first call of each length breaks the graph, later ones are one graph."""
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    module = fc.SeriesImages(GramianAngularField(8, method="both"))
    compiled = torch.compile(module, backend=backend)
    for length in (20, 30):
        x = walks(4, 3, length)
        wanted = fc.SeriesImages(module.transform)(x)
        for _ in range(3):
            graphs.append(None)
            assert torch.equal(compiled(x), wanted)
        assert graphs[-1] is None  # the third call compiled nothing
    assert torch.equal(torch.compile(module, backend="eager", fullgraph=True)(x), wanted)


def test_it_can_be_exported_once_it_was_called():
    module, x = fc.SeriesImages(GramianAngularField(8)), walks(4, 3, 20)
    wanted = module(x)
    assert torch.equal(torch.export.export(module, (x,)).module()(x), wanted)
    assert torch.equal(module(x), wanted)


# -- stacks and long segments ------------------------------------------------------------------


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("shape", [(3, 40), (2, 3, 40)])
def test_stacks(flatten, shape):
    """B9: the planes of each field behind those of the one before, in stacks of stacks too."""
    x = walks(*shape)
    stack = fc.FieldStack(
        [
            GramianAngularField(13, method="both"),
            GramianAngularField(13, (0, 1), out_range=(0, 1)),
            fc.FieldStack([GramianAngularField(13, (-0.5, 0.5), "difference", overlapping=True)]),
        ],
        flatten=flatten,
    )
    images = fc.SeriesImages(stack)(x)
    wanted = stack.transform(x.numpy())
    assert images.shape == wanted.shape
    np.testing.assert_allclose(images.numpy(), wanted, rtol=0, atol=5e-7)


def test_a_stack_is_one_kernel(graphs):
    fields = [GramianAngularField(8, method=method) for method in ("s", "d", "both")]
    module, x = fc.SeriesImages(fc.FieldStack(fields), compile=True), walks(2, 3, 20)
    images = module(x)
    assert len(graphs) == 1
    assert torch.equal(images, fc.SeriesImages(fc.FieldStack(fields), compile=False)(x))


def test_stacks_that_are_none():
    x = walks(2, 20)
    unlike = fc.FieldStack([GramianAngularField(8), GramianAngularField(8, dtype="uint8")])
    with pytest.raises(ArgumentError, match="must have one dtype"):
        fc.SeriesImages(unlike)(x)
    unlike = fc.FieldStack([GramianAngularField(8), GramianAngularField(0.5)])
    with pytest.raises(ArgumentError, match="must have one size"):
        fc.SeriesImages(unlike)(x)
    for other in (fc.MarkovTransitionField(8), fc.RecurrencePlot()):
        with pytest.raises(ArgumentTypeError, match="the C core makes it"):
            fc.SeriesImages(other)
        with pytest.raises(ArgumentTypeError, match="the C core makes it"):
            fc.SeriesImages(fc.FieldStack([GramianAngularField(8), other]))
    with pytest.raises(ArgumentError, match="is empty"):
        fc.SeriesImages(fc.FieldStack([]))(x)
    with pytest.raises(ArgumentTypeError, match="there are Gramian angular fields only"):
        fc.SeriesImages(fc.FieldStack(None))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("size", [3, 7, 30])
def test_means_of_many_values(device, overlapping, size):
    """B9: sums go from left to right; another order shows in float64 images at 1e-8."""
    for seed in range(20):
        x = np.random.default_rng(seed).standard_normal((4, 500)).cumsum(-1) + 3
        transform = GramianAngularField(size, (-1, 1), "both", overlapping, dtype="float64")
        images = fc.SeriesImages(transform)(torch.from_numpy(x).to(device)).cpu()
        wanted = reference.gaf(x, size, (-1, 1), "both", overlapping)
        reference.assert_stored(images.numpy(), wanted, "float64")


# -- trained and shared out --------------------------------------------------------------------


def test_inference_first_and_training_then():
    """Tensors that are made in inference mode cannot be saved for a backward pass."""
    module, x = fc.SeriesImages(GramianAngularField(5)), walks(2, 12)
    with torch.inference_mode():
        wanted = module(x)
    leaf = x.clone().requires_grad_()
    images = module(leaf)
    images.sum().backward()
    assert torch.equal(images.detach(), wanted)
    assert leaf.grad.abs().sum() > 0


def test_constant_series_have_gradients_that_are_numbers():
    x = torch.full((2, 9), 3.5, dtype=torch.float64, requires_grad=True)
    fc.SeriesImages(GramianAngularField(4, method="both"))(x).sum().backward()
    assert (x.grad == 0).all()


def test_integer_images_have_no_gradient():
    x = walks(2, 9).requires_grad_()
    assert not fc.SeriesImages(GramianAngularField(dtype="uint8"))(x).requires_grad


def test_parameters_set_later_change_nothing():
    transform, x = GramianAngularField(5), walks(2, 12)
    module = fc.SeriesImages(transform)
    wanted = module(x)
    transform.set_params(image_size=7, method="difference")
    assert torch.equal(module(x), wanted)
    assert torch.equal(copy.deepcopy(module)(x), wanted)
    assert "image_size=5" in repr(module)


def test_casting_a_model_leaves_it_alone():
    module, x = fc.SeriesImages(GramianAngularField(5)), walks(2, 12)
    wanted = module(x)
    assert torch.equal(module.half()(x), wanted)


def test_replicas_as_data_parallel_makes_them():
    module, x = fc.SeriesImages(GramianAngularField(5)), walks(2, 12)
    assert torch.equal(module._replicate_for_data_parallel()(x), module(x))


def test_shapes_on_the_meta_device():
    module = fc.SeriesImages(GramianAngularField(8, method="both", dtype="uint8"))
    images = module(torch.empty(5, 3, 20, device="meta"))
    assert images.shape == (5, 6, 8, 8)
    assert images.dtype == torch.uint8


# -- odd series --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64"])
def test_series_of_rare_types(dtype):
    x = torch.tensor([[1, 2, 0, 3], [3, 3, 1, 2]]).to(torch.float32).to(getattr(torch, dtype))
    images = fc.SeriesImages(GramianAngularField())(x)
    reference.assert_stored(images.numpy(), reference.gaf(x.double().numpy()), "float32")


def test_what_is_not_finite_in_eight_bits():
    x = torch.tensor([[1, float("nan"), 2]]).to(torch.float8_e4m3fn)
    with pytest.raises(ArgumentError, match="NaN"):
        fc.SeriesImages(GramianAngularField())(x)


def test_series_with_strides():
    x = walks(12, 3, 8)
    module = fc.SeriesImages(GramianAngularField(5))
    for view in (x[::2, :, 1:], x.transpose(0, 2), x[:, :1].expand(12, 3, 8)):
        assert torch.equal(module(view), module(view.contiguous()))


@pytest.mark.parametrize(
    "series",
    [
        walks(2, 9).to_sparse(),
        torch.nested.nested_tensor([torch.zeros(5), torch.zeros(4)]),
    ],
)
def test_series_that_are_not_dense(series):
    with pytest.raises(ArgumentTypeError, match="dense data is required"):
        fc.SeriesImages(GramianAngularField())(series)


@pytest.mark.parametrize("compile_", [1, 0, None, "always"])
def test_choices_that_do_not_exist(compile_):
    """1 is True for Python: taken by a comparison and by no test of identity, it chose nothing."""
    with pytest.raises(ArgumentError, match="choose 'auto', True or False"):
        fc.SeriesImages(GramianAngularField(), compile=compile_)


def test_single_precision_products_whatever_the_device_likes():
    """Products of float32 numbers for all types but float64, of float64 numbers there."""
    for dtype in (*reference.DTYPES, "bfloat16"):
        recipe = device_fields.recipe_of(GramianAngularField(dtype=dtype), 9, torch.device("cpu"))
        wanted = torch.float64 if dtype == "float64" else torch.float32
        for side in device_fields.sides_of(walks(2, 1, 9), recipe, check=True):
            assert side.dtype == wanted
