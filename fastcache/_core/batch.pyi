from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

# NumPy's arrays have the buffer protocol; before Python 3.12 their stubs do not say so.
_Buffer: TypeAlias = Buffer | npt.NDArray[Any]

@final
class CopyJob:
    """Runs of bytes of one buffer, copied one behind the other into another."""

    def __init__(
        self,
        source: _Buffer,
        target: _Buffer,
        starts: npt.NDArray[np.int64],
        lengths: int | npt.NDArray[np.int64],
        *,
        streaming: bool = False,
        places: npt.NDArray[np.int64] | None = None,
    ) -> None: ...
    def run(self) -> None: ...
    @property
    def done(self) -> int: ...
