from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache._core.jobs import Paths

_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Int64: TypeAlias = npt.NDArray[np.int64]

class ReadJob:
    def __init__(
        self,
        paths: Paths,
        target: _Bytes,
        slot: _Int64,
        size: _Int64,
        status: _Bytes,
        detail: _Bytes,
    ) -> None: ...
    def run(self) -> None: ...
    def cancel(self) -> None: ...
    def progress(self) -> tuple[int, int, int]: ...
