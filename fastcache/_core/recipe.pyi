from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastcache._core.image import Spec
from fastcache._core.planes import Plane

_Bytes: TypeAlias = npt.NDArray[np.uint8]

MOST_PLANES: int

def scratch_bytes(
    steps: _Bytes,
    height: int,
    width: int,
    spec: Spec,
    emit: _Bytes,
    before: _Bytes | None = None,
) -> int: ...

class MakeJob:
    def __init__(
        self,
        planes: Sequence[Plane],
        steps: _Bytes | list[_Bytes],
        seed: int,
        epoch: npt.NDArray[Any],
        sample: npt.NDArray[Any],
        occurrence: npt.NDArray[Any],
        status: _Bytes,
        detail: _Bytes,
        *,
        maps: _Bytes | None = None,
        damaged_needs_python: bool = False,
    ) -> None: ...
    def run(self) -> None: ...
    def cancel(self) -> None: ...
    def progress(self) -> tuple[int, int, int]: ...

class Maker:
    def make(
        self,
        source: Any,
        spec: Spec,
        drawn: _Bytes,
        emit: _Bytes,
        out: _Bytes,
        *,
        is_file: bool = False,
        key: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> tuple[int, int]: ...
