from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

_Bytes: TypeAlias = npt.NDArray[np.uint8]

PENDING: int
OK: int
NEEDS_PYTHON: int
E_ARGUMENT: int
E_IO: int
E_NOMEM: int
E_TRUNCATED: int
E_CORRUPT: int
E_PIXELS: int
E_SCANS: int
E_BYTES: int
E_TIME: int
UNKNOWN: int
JPEG: int
IN_C: int
ANIMATED: int
MULTISCAN: int
ASK_ORIENTATION: int
INFO_BYTES: int
GEOMETRY_BYTES: int
MAX_PIXELS: int
MAX_BYTES: int
MAX_SCANS: int
MAX_MS: int

def describe(status: int, detail: int) -> str: ...
def format_name(kind: int) -> str: ...
def codec_list() -> list[tuple[str, str, str]]: ...
def cpu_name() -> str: ...

class Spec:
    def __init__(
        self,
        *,
        channels: int = 3,
        filter: int = 2,  # noqa: A002 - the C struct's word
        apply_orientation: bool = False,
        wide: bool = False,
        premultiply: bool = False,
        fill: int = 0,
        max_pixels: int = ...,
        max_bytes: int = ...,
        max_scans: int = ...,
        max_ms: int = ...,
    ) -> None: ...
    def arguments(self) -> dict[str, Any]: ...
    @property
    def pixel_bytes(self) -> int: ...

class Decoder:
    def decode(self, data: Any, spec: Spec, geometry: _Bytes, out: _Bytes) -> tuple[int, int]: ...

def scratch_bytes(info: _Bytes, spec: Spec, geometry: _Bytes) -> int: ...
def probe_bytes(data: Any, info: _Bytes) -> tuple[int, int]: ...
def resample(source: _Bytes, spec: Spec, geometry: _Bytes, out: _Bytes) -> None: ...
