"""DataFrames of flattened images, for those who asked scikit-learn for them."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, MissingPackageError

if TYPE_CHECKING:
    from fastcache.gaf.estimator import SeriesTransform

CONTAINERS = ("default", "pandas", "polars")


def framed(transform: "SeriesTransform", x: Any, images: npt.NDArray[Any]) -> Any:
    """Return images in the container that was chosen with ``set_output``, or for all estimators."""
    container = _container(transform)
    if container == "default":
        return images
    if images.ndim != 2:
        raise ArgumentError(
            f"a {container} DataFrame has rows and columns, these images the shape {images.shape}: "
            "pass flatten=True, or set_output(transform='default')"
        )
    name = type(transform).__name__.lower()
    columns = [f"{name}{k}" for k in range(images.shape[1])]
    try:
        package = import_module(container)
    except ImportError as error:
        raise MissingPackageError(
            f"set_output(transform={container!r}) needs {container}: pip install {container}"
        ) from error
    if container == "pandas":
        index = x.index if hasattr(x, "iloc") else None  # a list's index is something else
        return package.DataFrame(images, index=index, columns=columns, copy=False)
    return package.DataFrame(np.asarray(images), schema=columns, orient="row")


def _container(transform: "SeriesTransform") -> str:
    own = getattr(transform, "_sklearn_output_config", {}).get("transform")
    if own is not None:
        return str(own)
    sklearn = sys.modules.get("sklearn")  # what is not loaded was told nothing
    return "default" if sklearn is None else str(sklearn.get_config()["transform_output"])
