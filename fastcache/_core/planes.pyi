from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache._core.image import Spec
from fastcache._core.paths import Paths

_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Array: TypeAlias = npt.NDArray[Any]

EMIT_BYTES: int
PLAIN: int
UNIT: int
NORMALISED: int
NORMALISED_PLAIN: int

def emit_bytes(emit: _Bytes, height: int, width: int) -> int: ...

class Plane:
    count: int
    def __init__(
        self,
        spec: Spec,
        emit: _Bytes,
        source: Any,
        offset: _Array,
        height: _Array,
        width: _Array,
        out: _Bytes,
        out_offset: _Array,
        out_size: _Array,
        *,
        is_mask: bool = False,
        paths: Paths | None = None,
        data: Any = None,
        data_offset: _Array | None = None,
        data_size: _Array | None = None,
        before: _Array | None = None,
    ) -> None: ...
