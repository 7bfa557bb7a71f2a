"""What the workers that measure fastcache share."""

from typing import Any

import numpy as np
from serve import Settings

ROW = (224, 224, 3)


def open_photos(settings: Settings, repeat: int = 1) -> Any:
    """Return an ArenaDataset of the photographs, short side 256, centre 224, `repeat` times over.

    All have the label 0: the folder need not be a class folder.
    """
    import fastcache as fc
    from fastcache import transforms as T

    paths = settings.paths * repeat
    return fc.ArenaDataset(
        fc.sources.Files(paths, np.zeros(len(paths), np.int64)),
        store=[T.Resize(256), T.CenterCrop(224)],
        threads=settings.threads,
    )
