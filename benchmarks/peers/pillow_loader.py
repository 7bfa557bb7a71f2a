"""What most training scripts do: Pillow decodes each file in each epoch, in DataLoader workers."""

from pillow_loop import resize_crop
from serve import Result, Round, Settings, read_all, serve, timed, touch

BATCH = 256


def prepare(settings: Settings) -> Round:
    import torch
    from torch.utils.data import DataLoader, Dataset

    class Folder(Dataset[torch.Tensor]):
        """Files to uint8 tensors (C, H, W)."""

        def __len__(self) -> int:
            return len(settings.paths)

        def __getitem__(self, index: int) -> torch.Tensor:
            pixels = torch.from_numpy(resize_crop(settings.paths[index]).copy())
            return pixels.permute(2, 0, 1).contiguous()

    read_all(settings.paths)
    # Workers are kept, so that their start is not measured.
    loader = DataLoader(
        Folder(), BATCH, shuffle=True, num_workers=settings.threads, persistent_workers=True
    )

    def epoch() -> int:
        count = 0
        for batch in loader:
            touch(batch.numpy())
            count += len(batch)
        return count

    # Once, off the clock: the pictures are the ones that everybody makes.
    levels = [float(batch.double().mean()) * len(batch) for batch in loader]
    mean = sum(levels) / len(settings.paths)

    def one_round() -> Result:
        items, seconds = timed(epoch)
        return {"seconds": seconds, "items": items, "mean": mean}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="pillow")
