"""A whole epoch of the photographs from the arena, plain DataLoader, 0 workers, every byte read."""

import numpy as np
from serve import Result, Round, Settings, read_all, serve, timed, touch

BATCH = 256
EPOCHS = 20  # one alone is a few milliseconds


def prepare(settings: Settings) -> Round:
    from common import open_photos
    from torch.utils.data import DataLoader

    read_all(settings.paths)
    loader = DataLoader(open_photos(settings), BATCH, shuffle=True)

    def epochs() -> int:
        count = 0
        for _ in range(EPOCHS):
            for images, _ in loader:
                touch(np.ravel(images.numpy(), order="K"))
                count += len(images)
        return count

    def one_round() -> Result:
        items, seconds = timed(epochs)
        return {"seconds": seconds, "items": items}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
