"""Sixteen bits per pixel: which files C can give them of."""

import numpy as np
import numpy.typing as npt

from fastcache.transforms import FILTERS, StorePlan


def wide_in_c(info: npt.NDArray[np.void], store: StorePlan) -> npt.NDArray[np.bool_]:
    """Return bool [N]: grey files that are copied, since C does not blend wide pixels.

    Parameters
    ----------
    info : structured array [N], INFO_DTYPE
        Their headers.
    store : StorePlan
        What is done to each.
    """
    g = store.geometry
    grey = (info["components"] == 1) & (info["depth"] == 16)
    copied = (g["size_h"] == g["crop_h"]) & (g["size_w"] == g["crop_w"])
    in_c: npt.NDArray[np.bool_] = grey & (copied | (store.filter == FILTERS["nearest"]))
    return in_c
