"""What every transform of series shares: scikit-learn's conventions, without scikit-learn.

An estimator there is a class whose constructor keeps its arguments as they are, and which has a few
methods. None of that needs the package, and importing it would take a second.
"""

import inspect
from abc import ABC, abstractmethod
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.expand import Plan, check_out, expand, image_shape
from fastcache.gaf.frames import CONTAINERS, framed
from fastcache.gaf.params import resolve_jobs
from fastcache.gaf.series import as_series, check_finite

_Self = TypeVar("_Self", bound="SeriesTransform")


class SeriesTransform(ABC):
    """A transform from series to square images that learns nothing.

    Derived classes take their parameters in ``__init__``, keep them under the same names, and say
    in :meth:`plan` what they make of series of a given length.
    """

    flatten: bool
    n_jobs: int | None

    @abstractmethod
    def plan(self, length: int) -> Plan:
        """Return what is made of series of `length` time steps; check the parameters.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            For parameters that cannot be used, at all or with this length.
        """

    def fit(self: _Self, X: Any = None, y: Any = None) -> _Self:
        """Check `X` if it is given, and learn nothing from it.

        Parameters
        ----------
        X : array-like of shape (n, t) or (n, channels, t), optional
        y : ignored

        Returns
        -------
        self
        """
        if X is not None:
            check_finite(as_series(X))
        return self

    def transform(self, X: Any, out: npt.NDArray[Any] | None = None) -> Any:
        """Return the images of series.

        Parameters
        ----------
        X : array-like of shape (n, t) or (n, channels, t)
            Real numbers of any type, strides and byte order.
        out : ndarray, optional
            Where to write the images: C-contiguous, of their shape and dtype. No other memory of
            that size is used; pages that exist already are written at the speed of memory.

        Returns
        -------
        ndarray
            Of shape (n, m, m) for one image per series and (n, planes, m, m) for several, or for
            series with channels; all channels of the first kind of image come first. With
            ``flatten=True`` (n, everything else). `out` if that was given. Or a DataFrame, see
            `set_output`.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            For series that are empty, not finite, or of another number of axes, for parameters that
            cannot be used and for an `out` that does not fit.
        """
        series = as_series(X)
        plan = self.plan(series.shape[-1])
        threads = resolve_jobs(self.n_jobs)
        if plan.dtype == "bfloat16":
            raise ArgumentError(
                "NumPy has no bfloat16: use dtype='float16' or 'float32' here. As the transform of "
                "an ArenaDataset, or through SeriesImages, bfloat16 makes torch tensors"
            )
        shape = image_shape(plan, series, self.flatten)
        if out is None:
            images = np.empty(shape, plan.dtype)
        else:
            images = check_out(out, shape, plan.dtype, series)
        expand(plan, series, images, threads)
        return framed(self, X, images)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Return ``transform(X)``; there is nothing to fit."""
        return self.fit(None, y).transform(X)

    # -- parameters ---------------------------------------------------------------------------

    @classmethod
    def _names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with `deep` those of estimators among them too."""
        params: dict[str, Any] = {}
        for name in self._names():
            value = getattr(self, name)
            params[name] = value
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{k}": v for k, v in value.get_params().items()}
        return params

    def set_params(self: _Self, **params: Any) -> _Self:
        """Set parameters by name, ``name__inner`` for those of an estimator among them."""
        names = self._names()
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in names:
                raise ArgumentError(
                    f"Invalid parameter {outer!r} for estimator {self}. Valid parameters are: "
                    f"{names}."
                )
            if inner:
                getattr(self, outer).set_params(**{inner: value})
            else:
                setattr(self, outer, value)
        return self

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self).__init__).parameters
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name in parameters
            if name != "self" and _differs(getattr(self, name), parameters[name].default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    # -- scikit-learn asks --------------------------------------------------------------------

    def set_output(self: _Self, *, transform: str | None = None) -> _Self:
        """Choose what `transform` returns, for images in rows (``flatten=True``).

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a DataFrame of that package. None changes nothing.
        """
        if transform is not None:
            if transform not in CONTAINERS:
                raise ArgumentError(
                    f"transform={transform!r}: choose {', '.join(map(repr, CONTAINERS))}"
                )
            self._sklearn_output_config = {"transform": transform}
        return self

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns of flattened images.

        Parameters
        ----------
        input_features : sequence of str
            Names of the time steps; how many there are decides the size of an image.
        """
        if input_features is None:
            raise ArgumentTypeError(
                "input_features is needed: a transform that learns nothing does not know how many "
                "time steps there are"
            )
        plan = self.plan(len(input_features))
        count = plan.planes * plan.size**2
        name = type(self).__name__.lower()
        return np.array([f"{name}{k}" for k in range(count)], object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn calls this, so it is there.
        from sklearn.utils import (  # type: ignore[import-untyped]
            InputTags,
            Tags,
            TargetTags,
            TransformerTags,
        )

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
            requires_fit=False,
        )


def _differs(value: Any, default: Any) -> bool:
    return type(value) is not type(default) or repr(value) != repr(default)
