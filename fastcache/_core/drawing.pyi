from typing import TypeAlias

import numpy as np
import numpy.typing as npt

_Bytes: TypeAlias = npt.NDArray[np.uint8]

STEP_BYTES: int
STAGE_BYTES: int
DRAWN_BYTES: int
MAP_BYTES: int
MOST_STAGES: int
MOST_COLOURS: int
MOST_ERASED: int
STEP_PIXELS: int

class Random:
    def __init__(self, seed: int, epoch: int, sample: int, occurrence: int, step: int) -> None: ...
    def bits(self) -> int: ...
    def uniform(self) -> float: ...
    def below(self, count: int) -> int: ...
    def normal(self) -> float: ...
    def normals(self, out: npt.NDArray[np.float32]) -> None: ...
    def gamma(self, shape: float) -> float: ...
    def beta(self, a: float, b: float) -> float: ...

def offsets() -> dict[str, dict[str, int]]: ...
def first_bad_step(steps: _Bytes) -> int: ...
def draw(
    steps: _Bytes,
    seed: int,
    epoch: npt.NDArray[np.uint64],
    sample: npt.NDArray[np.uint64],
    occurrence: npt.NDArray[np.uint32],
    height: npt.NDArray[np.int32],
    width: npt.NDArray[np.int32],
    out: _Bytes,
    before: _Bytes | None = None,
) -> tuple[int, int]: ...
def maps(drawn: _Bytes, out: _Bytes) -> None: ...
