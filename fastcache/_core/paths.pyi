from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

class Paths:
    count: int
    def __init__(self, paths: Sequence[str], offset: npt.NDArray[np.int64]) -> None: ...
    @staticmethod
    def packed(text: npt.NDArray[np.uint8], offset: npt.NDArray[np.int64]) -> Paths: ...
    def split(self) -> list[bytes]: ...
