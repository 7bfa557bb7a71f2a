"""Datasets around datasets, which read others of their rows; importable by spawned processes."""

from torch.utils.data import Dataset


class Around(Dataset):
    """One that a user wrote."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


class Thrice(Around):
    """An epoch is three times the dataset: other indices, the same rows."""

    def __len__(self):
        return 3 * len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index % len(self.dataset)]


class Twos(Around):
    """Reads another sample, and its own twice, for each."""

    def __getitem__(self, index):
        own = self.dataset[index]
        other = self.dataset[(7 * index + 1) % len(self.dataset)]
        return [own, other, self.dataset[index]]


class Joined(Around):
    """Reads four samples at once for each."""

    def __getitem__(self, index):
        return self.dataset.__getitems__([(index * factor + 1) % 40 for factor in (1, 3, 7, 9)])


class TwoPasses(Around):
    """Reads each batch twice."""

    def __getitems__(self, indices):
        views = [self.dataset.__getitems__(indices) for _ in range(2)]
        return [list(pair) for pair in zip(*views, strict=True)]


class Unsized(Around):
    """Does not tell its length, as abstract classes do."""

    def __len__(self):
        raise NotImplementedError


class Mapped(Around):
    """Hands batches on, in an order of its own."""

    def __getitems__(self, indices):
        return self.dataset.__getitems__([39 - index for index in indices])


class ByName(Around):
    """Its indices are words."""

    def __getitem__(self, name):
        return self.dataset[len(name)]
