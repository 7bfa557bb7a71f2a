"""The plainest map-style Dataset there is."""


class Dataset:
    """A map-style Dataset made of a function from index to sample."""

    def __init__(self, make, count=5):
        self.make, self.count = make, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.make(index)
