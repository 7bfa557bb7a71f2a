from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache._core.image import Spec
from fastcache._core.paths import Paths

_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Int64: TypeAlias = npt.NDArray[np.int64]

CURSOR_BYTES: int

class ProbeJob:
    def __init__(
        self,
        paths: Paths,
        info: _Bytes,
        status: _Bytes,
        detail: _Bytes,
        *,
        whole: bool = False,
        max_pixels: int = ...,
        max_bytes: int = ...,
        max_scans: int = ...,
        max_ms: int = ...,
    ) -> None: ...
    def run(self) -> None: ...
    def cancel(self) -> None: ...
    def progress(self) -> tuple[int, int, int]: ...

class FillJob:
    parts: tuple[Any, ...]
    damaged_needs_python: bool
    def __init__(
        self,
        paths: Paths,
        spec: Spec,
        geometry: _Bytes,
        target: _Bytes,
        slot: _Int64,
        status: _Bytes,
        detail: _Bytes,
        damaged_needs_python: bool = False,
        *,
        data: npt.NDArray[np.uint8] | None = None,
        data_offset: _Int64 | None = None,
        data_size: _Int64 | None = None,
        cursor: _Bytes | None = None,
    ) -> None: ...
    def run(self) -> None: ...
    def cancel(self) -> None: ...
    def progress(self) -> tuple[int, int, int]: ...

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
