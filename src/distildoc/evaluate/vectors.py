"""Pages or texts as vectors: what one model gives at one tap, for retrieval."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from distildoc.core.batch import Batch, Key
from distildoc.core.teacher import Teacher
from distildoc.evaluate.streams import streamed
from distildoc.metrics.outcomes import Floats
from distildoc.metrics.retrieval import Vectors
from distildoc.models.grids import Grid
from distildoc.schema.errors import InputError
from distildoc.schema.labels import label_index
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.texts import TextInput

BATCH = 64


def vectors(
    answers: Teacher,
    pages: Iterable[Page],
    *,
    preprocess: Preprocess | TextInput,
    tap: str,
    grid: Grid,
    labels: Sequence[str],
) -> tuple[Vectors, tuple[FailedPage, ...]]:
    """Features of the tap, maps and tokens averaged over the page, of all pages that can be read; and the others.

    Raises InputError for a page without a label or with one that is not among `labels`, for features that are not
    finite, and where no page can be read; ConfigError for a tap of a text's tokens, which are no vector.
    """

    def forward(rows: NDArray[np.uint8]) -> Floats:
        network = torch.from_numpy(preprocess.network(rows))
        keys = tuple(Key("", 0) for _ in range(len(network)))
        feature = answers(Batch(network, {}, keys)).features[tap]
        return np.asarray(grid(feature).float().mean((2, 3)).cpu().numpy(), np.float64)

    failed: list[FailedPage] = []
    ids, classes, rows = [], [], []
    for answer in streamed(pages, preprocess, forward, batch=BATCH):
        if isinstance(answer, FailedPage):
            failed.append(answer)
            continue
        page, row = answer[0].page, answer[1]
        if page.label is None:
            raise InputError(f"page '{page.id}' has no label; retrieval finds pages of the same class")
        if not np.isfinite(row).all():
            raise InputError(f"page '{page.id}': tap '{tap}' gives numbers that are not finite; mend that model first")
        ids.append(page.id)
        classes.append(label_index(labels, page.label, f"page '{page.id}'"))
        rows.append(row)
    if not rows:
        raise InputError(f"retrieval: none of {len(failed)} pages can be read")
    return Vectors(tuple(ids), np.array(classes, np.int64), np.stack(rows)), tuple(failed)
