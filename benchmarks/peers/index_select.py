"""Three lines of torch: shuffled batches of 256 by index_select(out=reused) from a RAM tensor."""

from collections.abc import Sequence
from typing import Any

from serve import Result, Round, Settings, serve, timed

BATCH = 256


def prepare(settings: Settings) -> Round:
    import torch
    from torch.utils.data import DataLoader, Dataset

    torch.set_num_threads(settings.threads)

    class Ram(Dataset[torch.Tensor]):
        """The rival, as anyone would write it who knows the trick."""

        def __init__(self) -> None:
            self.pixels = torch.randint(0, 255, (settings.rows, 3, 224, 224), dtype=torch.uint8)
            self.out = torch.empty((BATCH, 3, 224, 224), dtype=torch.uint8)

        def __len__(self) -> int:
            return len(self.pixels)

        def __getitems__(self, indices: Sequence[int]) -> torch.Tensor:
            return torch.index_select(self.pixels, 0, torch.tensor(indices), out=self.out)

    def as_it_is(batch: Any) -> Any:
        return batch

    loader = DataLoader(Ram(), BATCH, shuffle=True, drop_last=True, collate_fn=as_it_is)

    def epoch() -> int:
        return sum(len(batch) for batch in loader)

    def one_round() -> Result:
        items, seconds = timed(epoch)
        return {"seconds": seconds, "items": items}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="torch")
