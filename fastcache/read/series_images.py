"""Gramian angular fields on torch's devices: series travel, images are made where they are used."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal

import torch

from fastcache.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastcache.gaf import GramianAngularField
from fastcache.read.device_fields import Recipe, images_of, recipe_of

_Backend = Literal["torch", "torch.compile"]


class SeriesImages(torch.nn.Module):
    """Make images of series on the device that the series are on.

    Send series to the device, and make the images there: of 256 windows of 26 channels and 96
    steps both fields are 491 MB in float32, the series 2.6 MB. Shapes, numbers and errors are those
    of the transform on arrays; results agree within the tolerances that hold there.

    Parameters
    ----------
    transform : GramianAngularField
        Or a FieldStack of such. Its `n_jobs` means nothing here.
    compile : {"auto", True, False}
        Whether ``torch.compile`` makes one kernel of it. "auto": on CUDA, if Triton is installed;
        :meth:`backend` tells. Elsewhere the operations run one by one, several times slower.
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
    transform itself is faster.

    Floating point images are differentiable with respect to the series. Where a sine is 0, at the
    ends of [-1, 1], its derivative is infinite and taken for 0. A model that contains the module
    can be compiled as a whole once it has been called with series of that length.

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
        if compile not in ("auto", True, False):
            raise ArgumentError(f"compile={compile!r}: choose 'auto', True or False")
        if not (check is None or isinstance(check, bool)):
            raise ArgumentError(f"check={check!r}: choose None, True or False")
        for member in _members(transform):
            if not isinstance(member, GramianAngularField):
                raise ArgumentTypeError(
                    f"{member!r}: on a device there are Gramian angular fields only. As the "
                    "transform of an ArenaDataset, the C core makes it"
                )
        self.transform = transform
        self._wanted = compile
        self._check = check
        self._recipes: dict[tuple[int, torch.device], list[Recipe]] = {}
        self._compiled: Callable[..., torch.Tensor] | None = None

    def extra_repr(self) -> str:
        """Return what stands between the brackets of ``repr``."""
        return f"{self.transform!r}, compile={self._wanted!r}"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recipes": {}, "_compiled": None}

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
        recipes = self._recipes_for(series.shape[-1], series.device)
        compiling = torch.compiler.is_compiling()
        check = series.device.type == "cpu" if self._check is None else self._check
        if check and not compiling:
            _refuse_values(series)
        make: Callable[..., torch.Tensor] = images_of
        if not compiling and self.backend(series.device) == "torch.compile":
            if self._compiled is None:
                self._compiled = torch.compile(images_of)
            make = self._compiled
        cube = series if series.ndim == 3 else series.unsqueeze(1)
        planes = [make(cube, recipe, check and not compiling) for recipe in recipes]
        images = planes[0] if len(planes) == 1 else torch.cat(planes, 1)
        if series.ndim == 2 and images.shape[1] == 1:
            images = images.squeeze(1)
        return images.flatten(1) if self.transform.flatten else images

    def _recipes_for(self, length: int, device: torch.device) -> list[Recipe]:
        key = length, device
        if key not in self._recipes:
            self.transform.plan(length)  # refuses what cannot be had
            members = _members(self.transform)
            # Tables made in inference mode would be of no use to later calls that want gradients.
            with torch.inference_mode(False):
                self._recipes[key] = [recipe_of(member, length, device) for member in members]
        return self._recipes[key]


def _members(transform: Any) -> list[Any]:
    """Return the transforms of a stack, or the one."""
    return list(transform.fields) if hasattr(transform, "fields") else [transform]


def _refuse_odd(series: Any) -> None:
    if not isinstance(series, torch.Tensor):
        raise ArgumentTypeError(f"series must be a tensor, not {type(series).__name__}")
    if series.layout != torch.strided or series.is_nested:
        raise ArgumentTypeError("series must be a dense tensor: call to_dense, or to_padded_tensor")
    if series.is_complex():
        raise ArgumentError("Complex data not supported: give real series")
    if series.ndim not in (2, 3):
        raise ArgumentError(
            f"series have the shape (B, T) or (B, channels, T), not {tuple(series.shape)}"
        )
    if 0 in series.shape[1:]:
        raise ArgumentError(f"series of shape {tuple(series.shape)} have no values")


def _refuse_values(series: torch.Tensor) -> None:
    if not series.is_floating_point() or bool(torch.isfinite(series).all()):
        return
    if bool(torch.isnan(series).any()):
        raise ArgumentError("Input X contains NaN.")
    raise ArgumentError(f"Input X contains infinity or a value too large for {series.dtype}.")
