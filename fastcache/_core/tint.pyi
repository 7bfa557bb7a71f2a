from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

BRIGHTNESS: Final[int]
CONTRAST: Final[int]
SATURATION: Final[int]
HUE: Final[int]
GREY: Final[int]

def apply_colours(
    pixels: npt.NDArray[np.uint8], kinds: Sequence[int], amounts: Sequence[float]
) -> None: ...
