"""Pictures that explain: series and their fields, images and what recipes make of them.

They need matplotlib.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastcache.errors import ArgumentError, MissingPackageError
from fastcache.gaf import GramianAngularField
from fastcache.gaf.paa import segments
from fastcache.gaf.series import as_array, as_series
from fastcache.tools.recipe_figure import recipe_views

__all__ = ["recipe_views", "series_fields"]

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_MOST = 12  # rows of a figure; more could not be told apart
_ROW = (11.0, 2.9)  # inches


def series_fields(
    x: Any,
    *,
    image_size: int | float = 1.0,
    sample_range: tuple[float, float] | None = (-1, 1),
    overlapping: bool = False,
    names: "list[str] | None" = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw series, their polar form, and their Gramian angular fields.

    Parameters
    ----------
    x : array-like of shape (t,) or (channels, t)
        At most 12 channels; each gets a row.
    image_size, sample_range, overlapping
        As for :class:`fastcache.GramianAngularField`.
    names : list of str, optional
        Titles of the rows.
    figure : matplotlib Figure or SubFigure, optional
        What to draw into; None makes one, outside of pyplot.

    Returns
    -------
    Figure
        In each row the series, with the means that it is reduced to; these as angles, the cosine's
        inverse, at radii that stand for time; the summation field and the difference field, whose
        values run from -1 to 1.

    Raises
    ------
    MissingPackageError
        Without matplotlib.
    ArgumentError, ArgumentTypeError
        For series and parameters that no field can be made of.

    Examples
    --------
    >>> import numpy as np, fastcache as fc
    >>> figure = fc.plots.series_fields(np.sin(np.linspace(0, 9, 96)), image_size=48)
    >>> figure.savefig("fields.png")
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            "plots need matplotlib: pip install 'fastcache[plot]', or matplotlib itself"
        ) from error
    array = as_array(x)
    series = as_series(array[None] if array.ndim == 1 else array)
    if series.ndim != 2 or len(series) > _MOST:
        raise ArgumentError(
            f"x has shape {series.shape}: give a series (t,), or one of up to {_MOST} channels "
            "(channels, t)"
        )
    if names is not None and len(names) != len(series):
        raise ArgumentError(f"{len(names)} names for {len(series)} channels: give one for each")
    transform = GramianAngularField(
        image_size, sample_range, "both", overlapping, dtype="float64", n_jobs=1
    )
    fields = transform.transform(series)  # checks everything else
    start, end = segments(series.shape[1], fields.shape[-1], overlapping)
    if figure is None:
        figure = Figure((_ROW[0], _ROW[1] * len(series)), layout="constrained")
    rows: Any = figure.subfigures(len(series), 1, squeeze=False)[:, 0]
    for k, row in enumerate(rows):
        if names is not None:
            row.suptitle(names[k])
        means = np.array([series[k, a:b].mean() for a, b in zip(start, end, strict=True)])
        middle = (start + end - 1) / 2
        _draw_row(row, series[k], means, middle, _scaled(means, sample_range), fields[k])
    return figure


def _scaled(means: npt.NDArray[Any], sample_range: tuple[float, float] | None) -> Any:
    """Return what the angles are made of; it need not be exact to the last bit to be drawn."""
    if sample_range is None:
        return means
    low, high = sample_range
    width = means.max() - means.min()
    return np.clip((means - means.min()) / (width or 1) * (high - low) + low, low, high)


def _draw_row(
    row: "SubFigure",
    series: npt.NDArray[Any],
    means: npt.NDArray[Any],
    middle: npt.NDArray[Any],
    cosine: npt.NDArray[Any],
    fields: npt.NDArray[Any],
) -> None:
    line = row.add_subplot(1, 4, 1)
    line.plot(series, color="0.6", linewidth=1)
    line.plot(middle, means, ".-", markersize=3, linewidth=1)
    line.set(title="series and its means", xlabel="time step")
    polar: Any = row.add_subplot(1, 4, 2, projection="polar")
    polar.plot(np.arccos(cosine), np.arange(1, len(means) + 1) / len(means), ".-", markersize=3)
    polar.set(title="arccos of the scaled means", thetamin=0, thetamax=180, yticklabels=[])
    for place, name, field in zip((3, 4), ("summation", "difference"), fields, strict=True):
        axes = row.add_subplot(1, 4, place)
        shown = axes.imshow(field, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
        axes.set(title=f"{name} field")
        if place == 4:
            row.colorbar(shown, ax=axes, shrink=0.8)
