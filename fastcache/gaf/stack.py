"""Several transforms of the same series as one."""

from collections.abc import Sequence
from typing import Any, TypeVar

from fastcache.errors import ArgumentError, ArgumentTypeError
from fastcache.gaf.estimator import SeriesTransform
from fastcache.gaf.expand import Plan

_Self = TypeVar("_Self", bound="FieldStack")


class FieldStack(SeriesTransform):
    """The images of several transforms, one behind the other.

    Parameters
    ----------
    fields : list of SeriesTransform
        At least one. Their images must have one size and one dtype. Their own `flatten` and
        `n_jobs` are not looked at.
    flatten : bool
        Whether the images of a sample become one row.
    n_jobs : int, optional
        Threads. None and -1: every usable core. Results do not depend on it.

    Notes
    -----
    The planes of a sample are those of the first transform, then those of the second, and so on:
    (n, planes, m, m), or (n, channels * planes, m, m) where each transform has all channels of its
    first image before those of its second.

    The parameters of transform k are ``fields__k__name``.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcache.gaf import FieldStack, GramianAngularField, MarkovTransitionField
    >>> x = np.sin(np.linspace(0, 9, 96)).reshape(1, 96)
    >>> stack = FieldStack([GramianAngularField(48, method="both"), MarkovTransitionField(48)])
    >>> stack.transform(x).shape
    (1, 3, 48, 48)
    """

    def __init__(
        self,
        fields: Sequence[SeriesTransform],
        flatten: bool = False,
        *,
        n_jobs: int | None = None,
    ) -> None:
        self.fields = fields
        self.flatten = flatten
        self.n_jobs = n_jobs

    def plan(self, length: int) -> Plan:
        fields = _checked(self.fields)
        plans = [field.plan(length) for field in fields]
        for name in ("size", "dtype"):
            values = [getattr(plan, name) for plan in plans]
            for k, value in enumerate(values):
                if value != values[0]:
                    raise ArgumentError(
                        f"the images of a stack must have one {name}: those of fields[0], "
                        f"{fields[0]!r}, have {values[0]}, those of fields[{k}], {fields[k]!r}, "
                        f"have {value} for series of {length} time steps"
                    )
        specs = tuple(spec for plan in plans for spec in plan.specs)
        return Plan(plans[0].size, plans[0].dtype, specs)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with `deep` those of the transforms too."""
        params = super().get_params(deep=False)
        if deep:
            for k, field in enumerate(_checked(self.fields)):
                params[f"fields__{k}"] = field
                params |= {f"fields__{k}__{name}": v for name, v in field.get_params().items()}
        return params

    def set_params(self: _Self, **params: Any) -> _Self:
        """Set parameters by name: ``fields__k`` is a transform, ``fields__k__name`` one of its."""
        own = {name: value for name, value in params.items() if not name.startswith("fields__")}
        super().set_params(**own)
        for name, value in params.items():
            if name in own:
                continue
            number, _, inner = name.removeprefix("fields__").partition("__")
            fields = _checked(self.fields)
            if not (number.isdecimal() and int(number) < len(fields)):
                raise ArgumentError(
                    f"Invalid parameter {name!r} for estimator {self}. There are fields__0 to "
                    f"fields__{len(fields) - 1}."
                )
            if inner:
                fields[int(number)].set_params(**{inner: value})
            else:
                fields[int(number)] = value
                self.fields = fields
        return self


def _checked(fields: Any) -> list[SeriesTransform]:
    """Return the transforms of a stack in a list of its own."""
    if not isinstance(fields, list | tuple):
        raise ArgumentTypeError(f"'fields' must be a list of transforms of series, not {fields!r}")
    for k, field in enumerate(fields):
        if not isinstance(field, SeriesTransform):
            raise ArgumentTypeError(
                f"fields[{k}] is {field!r}: give transforms of series, such as "
                "GramianAngularField(), MarkovTransitionField() and RecurrencePlot()"
            )
    if not fields:
        raise ArgumentError("'fields' is empty: give at least one transform of series")
    return list(fields)


__all__ = ["FieldStack"]
