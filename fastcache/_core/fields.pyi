from typing import Any, Final

import numpy as np
import numpy.typing as npt

GASF: Final[int]
GADF: Final[int]
GAF_BOTH: Final[int]
OK: Final[int]
NOT_FINITE: Final[int]
OUT_OF_RANGE: Final[int]
AUTO: Final[int]
CACHED: Final[int]
STREAMING: Final[int]
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
        out_low: float,
        out_high: float,
    ) -> None: ...
    @property
    def images(self) -> int: ...
    @property
    def size(self) -> int: ...
    def scratch(self, length: int) -> int: ...

class FieldJob:
    @staticmethod
    def of_array(
        spec: FieldSpec,
        series: npt.NDArray[Any],
        element: str,
        out: Any,
        *,
        planes: int,
        first_plane: int = 0,
        store: int = ...,
    ) -> FieldJob: ...
    @staticmethod
    def of_rows(
        spec: FieldSpec,
        data: Any,
        element: str,
        offsets: npt.NDArray[np.int64],
        out: Any,
        *,
        channels: int,
        channel_bytes: int,
        length: int,
        planes: int,
        first_plane: int = 0,
        store: int = ...,
    ) -> FieldJob: ...
    @property
    def store(self) -> int: ...
    def run(self) -> None: ...
    @property
    def refused(self) -> tuple[int, int, int] | None: ...
