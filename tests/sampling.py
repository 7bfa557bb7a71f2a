"""What tests of the sampler share."""

from itertools import chain

from torch.utils.data import Dataset


class Plain(Dataset):
    """A dataset that tells its length and its indices, no more."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index


def joined(parts):
    """Return the members of several lists as one."""
    return list(chain.from_iterable(parts))
