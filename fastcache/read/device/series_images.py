"""Gramian angular fields on torch's devices: series travel, images are made where they are used."""

import copy
import itertools
from collections.abc import Callable
from importlib.util import find_spec
from types import FunctionType
from typing import Any, Literal

import torch

from fastcache.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastcache.gaf import GramianAngularField
from fastcache.read.device.device_fields import Recipe, images_of, recipe_of, sides_of

_Backend = Literal["torch", "torch.compile"]
_KERNELS = itertools.count()


class SeriesImages(torch.nn.Module):
    """Make images of series on the device that the series are on.

    Send series to the device, and make the images there: of 256 windows of 26 channels and 96
    steps both fields are 491 MB in float32, the series 2.6 MB. Shapes, numbers and errors are those
    of the transform on arrays; results agree within the tolerances that hold there.

    Parameters
    ----------
    transform : GramianAngularField
        Or a FieldStack of such. A copy is kept: parameters that are set later change nothing here.
        Its `n_jobs` means nothing here.
    compile : {"auto", True, False}
        Whether ``torch.compile`` makes one kernel of what is done for each pixel. "auto": on CUDA,
        if Triton is installed; :meth:`backend` tells. Elsewhere the operations run one by one.
    check : bool, optional
        Whether to look for NaN, infinity and values out of range, which are errors then. None: on
        the CPU only, since elsewhere it waits for the device. Never inside a compiled model.

    Raises
    ------
    ArgumentTypeError
        For transforms that only the C core has.

    Notes
    -----
    Means, scaling and sines are computed in float64, products in the precision of the output, by
    multiplication of single numbers: neither TF32 nor autocast has a part in it. On the CPU the
    transform itself is faster. An empty batch makes an empty batch of images.

    Floating point images are differentiable with respect to the series. Where a sine is 0, at the
    ends of [-1, 1], its derivative is infinite and taken for 0. A model that contains the module
    is compiled as a whole once the module has been called with series of that length on that
    device; the first call of each length breaks the graph.

    Examples
    --------
    >>> import fastcache as fc, torch
    >>> images = fc.SeriesImages(fc.GramianAngularField(48, method="both"))
    >>> images(torch.randn(8, 3, 96)).shape
    torch.Size([8, 6, 48, 48])
    """

    def __init__(
        self,
        transform: Any,
        *,
        compile: bool | Literal["auto"] = "auto",  # noqa: A002 - torch.compile is meant
        check: bool | None = None,
    ) -> None:
        super().__init__()
        if not (compile == "auto" or isinstance(compile, bool)):
            raise ArgumentError(f"compile={compile!r}: choose 'auto', True or False")
        if not (check is None or isinstance(check, bool)):
            raise ArgumentError(f"check={check!r}: choose None, True or False")
        for member in _members(transform):
            if not isinstance(member, GramianAngularField):
                raise ArgumentTypeError(
                    f"{member!r}: on a device there are Gramian angular fields only. As the "
                    "transform of an ArenaDataset, the C core makes it"
                )
        self.transform = copy.deepcopy(transform)
        self._wanted = compile
        self._check = check
        self._recipes: dict[tuple[int, torch.device], list[Recipe]] = {}
        self._kernel: Callable[..., torch.Tensor] | None = None

    def extra_repr(self) -> str:
        """Return what stands between the brackets of ``repr``."""
        return f"{self.transform!r}, compile={self._wanted!r}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recipes": {}, "_kernel": None}

    def backend(self, device: torch.device | str) -> _Backend:
        """Return who makes the images on a device: "torch.compile", or "torch" step by step.

        Raises
        ------
        MissingPackageError
            If ``compile=True`` was asked for on CUDA, and Triton is missing.
        """
        on_cuda = torch.device(device).type == "cuda"
        has_triton = find_spec("triton") is not None
        if self._wanted is True and on_cuda and not has_triton:
            raise MissingPackageError(
                "compile=True on CUDA needs Triton: pip install triton, or pass compile='auto'"
            )
        fused = self._wanted is True or (self._wanted == "auto" and on_cuda and has_triton)
        return "torch.compile" if fused else "torch"

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Return the images of series.

        Parameters
        ----------
        series : tensor of shape (B, T) or (B, channels, T)
            Real numbers, on any device that has float64.

        Returns
        -------
        tensor
            Of shape (B, m, m) for one image per series, (B, planes, m, m) otherwise; all channels
            of the first kind of image come first. (B, everything else) if the transform flattens.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            As the transform on arrays; for their values see `check`.
        """
        _refuse_odd(series)
        key = series.shape[-1], series.device
        if key not in self._recipes:
            self._add_recipes(*key)
        recipes = self._recipes[key]
        compiling = torch.compiler.is_compiling()
        check = series.device.type == "cpu" if self._check is None else self._check
        check = check and not compiling
        values = series.double()
        if check:
            _refuse_values(values, series.dtype)
        cube = values if series.ndim == 3 else values.unsqueeze(1)
        sides = [sides_of(cube, recipe, check) for recipe in recipes]
        make = images_of
        if not compiling and self.backend(series.device) == "torch.compile":
            make = self._kernel = self._kernel or _kernel()
        images = make(sides, [recipe.pixels for recipe in recipes])
        if series.ndim == 2 and images.shape[1] == 1:
            images = images.squeeze(1)
        return images.flatten(1) if self.transform.flatten else images

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.inference_mode(False)  # tables made in that mode could not be used for training
    def _add_recipes(self, length: int, device: torch.device) -> None:
        self.transform.plan(length)  # refuses what cannot be had
        members = _members(self.transform)
        self._recipes[length, device] = [recipe_of(member, length, device) for member in members]


def _kernel() -> Callable[..., torch.Tensor]:
    """Return `images_of` as one kernel.

    The angles are not part of it: it would compute them again for each pixel, in float64.
    """
    # torch.compile counts kernels by code object, and gives up in silence at the eighth; by name it
    # recalls which numbers vary, and no longer takes them for constants. So each module has its own
    # code and name, and the whole graph is asked for, whose lack is an error.
    code = images_of.__code__.replace(co_name=f"images_of_{next(_KERNELS)}")
    own = FunctionType(code, images_of.__globals__)
    # Without it Triton fuses products and sums, and difference fields are not 0 on the diagonal.
    name = "emulate_precision_casts"
    options: dict[str, Any] = {name: True} if name in torch._inductor.list_options() else {}
    return torch.compile(own, fullgraph=True, options=options)


def _members(transform: Any) -> list[Any]:
    """Return the transforms of a stack, of stacks within it too, or the one."""
    fields = getattr(transform, "fields", None)
    if not isinstance(fields, list | tuple):
        return [transform]
    return [member for field in fields for member in _members(field)]


def _refuse_odd(series: Any) -> None:
    if not isinstance(series, torch.Tensor):
        raise ArgumentTypeError(f"series must be a tensor, not {type(series).__name__}")
    if series.layout != torch.strided or series.is_nested:
        raise ArgumentTypeError(
            "Sparse data was passed, but dense data is required: series.to_dense(), or for nested "
            "tensors series.to_padded_tensor()"
        )
    if series.is_complex():
        raise ArgumentError("Complex data not supported: give real series")
    if series.ndim not in (2, 3):
        raise ArgumentError(
            f"series have the shape (B, T) or (B, channels, T), not {tuple(series.shape)}"
        )
    if 0 in series.shape[1:]:
        raise ArgumentError(f"series of shape {tuple(series.shape)} have no values")


def _refuse_values(values: torch.Tensor, dtype: torch.dtype) -> None:
    if not dtype.is_floating_point or bool(torch.isfinite(values).all()):
        return
    if bool(torch.isnan(values).any()):
        raise ArgumentError("Input X contains NaN.")
    raise ArgumentError(f"Input X contains infinity or a value too large for {dtype}.")
