from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fastcache._core.field_specs import FieldSpec

OK: Final[int]
NOT_FINITE: Final[int]
OUT_OF_RANGE: Final[int]
AUTO: Final[int]
CACHED: Final[int]
STREAMING: Final[int]

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
    def cancel(self) -> None: ...
    @property
    def merged(self) -> list[int]: ...
    @property
    def refused(self) -> tuple[int, int, int] | None: ...
