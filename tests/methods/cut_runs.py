"""A run that is stopped after its first epoch, for tests of going on; what the tests of both tasks share."""

from collections.abc import Iterator

import torch

from distildoc.core.batch import Batch


class Cut(Exception):
    """The run was stopped."""


class Pages:
    """Pages in two batches, in another order in each epoch; `cut`: the run is stopped after the first epoch."""

    def __init__(self, pages: Batch, *, cut: bool) -> None:
        self.pages, self.cut = pages, cut

    def __len__(self) -> int:
        return 2

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        if self.cut and number == 1:
            raise Cut
        order = torch.randperm(len(self.pages), generator=torch.Generator().manual_seed(number))
        yield from (self.pages.select(rows) for rows in order.chunk(2)[skip:])
