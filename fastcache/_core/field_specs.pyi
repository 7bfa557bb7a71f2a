from typing import Final

import numpy as np
import numpy.typing as npt

GASF: Final[int]
GADF: Final[int]
GAF_BOTH: Final[int]
MTF: Final[int]
RECURRENCE: Final[int]
QUANTILE: Final[int]
UNIFORM: Final[int]
FIXED: Final[int]
NO_THRESHOLD: Final[int]
VALUE: Final[int]
POINT: Final[int]
DISTANCE: Final[int]
ELEMENTS: Final[dict[str, int]]

class FieldSpec:
    def __init__(
        self,
        kind: int,
        element: str,
        size: int,
        *,
        start: npt.NDArray[np.int64] | None = None,
        end: npt.NDArray[np.int64] | None = None,
        sample_range: tuple[float, float] | None = None,
        bins: tuple[int, int, npt.NDArray[np.float64] | None] | None = None,
        trajectory: tuple[int, int, int, float] | None = None,
        out_low: float,
        out_high: float,
    ) -> None: ...
    @property
    def images(self) -> int: ...
    @property
    def size(self) -> int: ...
    def scratch(self, length: int) -> int: ...
