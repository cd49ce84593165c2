"""Student and teacher side by side: both see the same pages, or texts, once, batch by batch.

Kept of each page are the probabilities of both and one vector a tap: maps are flattened, tokens too, after the leading
ones that are no patch. Vectors above WIDEST numbers are pooled: maps and rows of tokens to as fine a grid as fits. So a
tap takes at most 32 KB a page, and 500 pages of four taps on either side 131 MB. Of a text only vectors are kept: its
tokens are other ones in each of the two.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d, softmax

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model
from distildoc.core.taps import resolve, shapes
from distildoc.core.teacher import Teacher
from distildoc.core.texts import Tokenise
from distildoc.core.view import View
from distildoc.evaluate.streams import streamed
from distildoc.evaluate.table import PageTable
from distildoc.metrics.cka import LEAST_PAGES, cka_debiased, gram
from distildoc.metrics.outcomes import Floats
from distildoc.models.grids import Grid
from distildoc.schema.errors import InputError, TapError
from distildoc.schema.labels import label_index
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.texts import TextInput

WIDEST = 8192  # numbers kept of a tap and page
BATCH = 32
LACKED = "penultimate"  # what a whole kind of model has not: detectors


@dataclass(frozen=True)
class Side:
    """One of the two: what answers, and how its features, if it has any, lie on the page."""

    answers: Teacher
    grid: Grid


@dataclass(frozen=True, eq=False)
class SideBySide:
    """What came of it.

    pages   how many were compared.
    tables  probabilities of the student and of the teacher; None where one of them gave no logits of pages.
    taps    those of the student and of the teacher, in order.
    cka     debiased linear CKA [student's taps, teacher's taps]; NaN for features that are the same on every page, and
            no column where a side has no tap.
    failed  pages that could not be read.
    """

    pages: int
    tables: tuple[PageTable, PageTable] | None
    taps: tuple[tuple[str, ...], tuple[str, ...]]
    cka: Floats
    failed: tuple[FailedPage, ...]


class Calibrated:
    """A teacher whose logits are divided by its temperature; everything else passes through."""

    def __init__(self, teacher: Teacher, temperature: float) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self._teacher = teacher
        self._temperature = temperature
        self.labels = teacher.labels
        self.live = teacher.live
        self.features = teacher.features
        self.fingerprint = f"{teacher.fingerprint}/{temperature!r}"

    def __call__(self, batch: Batch) -> View:
        view = self._teacher(batch)
        if "logits" not in view.outputs:
            return view
        return replace(view, outputs={**view.outputs, "logits": view.outputs["logits"] / self._temperature}, again=None)


def shared_taps(student: Model, teacher: Model, taps: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The taps that the student has, and those that the teacher has; of readers of texts, those that give vectors.

    Raises TapError for one that neither has, except `penultimate`, which is no place of a detector.
    """
    own = tuple(tap for tap in taps if _has(student, tap)), tuple(tap for tap in taps if _has(teacher, tap))
    for tap in taps:
        if tap not in (*own[0], *own[1], LACKED):
            resolve(student, tap)
    return own


def side_by_side(
    student: Side, teacher: Side, pages: Iterable[Page], *, preprocess: Preprocess | TextInput
) -> SideBySide:
    """Run both on the pages; classes come in the order of the student's labels, which the teacher must give too.

    Pages that cannot be read are left out and named. Raises InputError where none is left, too few for CKA, a page has
    no class of the labels though both predict one, or a model gives numbers that are not finite.
    """
    failed: list[FailedPage] = []
    seen = _Seen(student.answers.labels), _Seen(teacher.answers.labels)
    kept: list[Page] = []
    for batch, some in _batches(pages, preprocess, failed):
        kept += some
        for side, rows, who in zip((student, teacher), seen, ("student", "teacher"), strict=True):
            rows.take(side, batch, who)
    _check_enough(kept, failed, any(rows.features for rows in seen))
    return SideBySide(
        len(kept),
        _tables(kept, *seen),
        (tuple(seen[0].features), tuple(seen[1].features)),
        _cka(*(rows.grams() for rows in seen)),
        tuple(failed),
    )


def narrowed(feature: Tensor) -> Tensor:
    """[B, C, H, W] to [B, at most WIDEST] in fp32: the means over cells of as fine a grid as fits, flattened."""
    channels, rows, columns = feature.shape[1:]
    cells = max(1, WIDEST // channels)
    if rows * columns > cells:
        high = max(1, min(rows, cells, int((cells * rows / columns) ** 0.5)))
        feature = adaptive_avg_pool2d(feature.float(), (high, max(1, min(columns, cells // high))))
    flat = feature.float().flatten(1)
    return flat if flat.shape[1] <= WIDEST else adaptive_avg_pool1d(flat[:, None], WIDEST)[:, 0]


@dataclass(eq=False)
class _Seen:
    """What one side has given so far."""

    labels: tuple[str, ...]
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)
    features: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)

    def take(self, side: Side, batch: Batch, who: str) -> None:
        view = side.answers(batch)
        logits = view.outputs.get("logits")
        if logits is not None and logits.ndim == 2:
            self.probabilities.append(_finite(softmax(logits.double(), -1), batch, f"the {who}"))
        for name, feature in view.features.items():
            if len(feature) != len(batch):
                raise TapError(f"tap '{name}' of the {who} has {len(feature)} rows for {len(batch)} pages; tap another")
            flat = narrowed(side.grid(feature))
            self.features.setdefault(name, []).append(_finite(flat, batch, f"tap '{name}' of the {who}"))

    def grams(self) -> Mapping[str, Floats]:
        return {name: gram(np.concatenate(rows)) for name, rows in self.features.items()}


def _batches(
    pages: Iterable[Page], preprocess: Preprocess | TextInput, failed: list[FailedPage]
) -> Iterator[tuple[Batch, list[Page]]]:
    """Batches of the pages that can be read; the others go to `failed`."""
    rows: list[tuple[Page, NDArray[np.uint8]]] = []
    for answer in streamed(pages, preprocess, lambda rows: rows, batch=BATCH):
        if isinstance(answer, FailedPage):
            failed.append(answer)
            continue
        rows.append((answer[0].page, answer[1]))
        if len(rows) == BATCH:
            yield _batch(rows, preprocess)
            rows = []
    if rows:
        yield _batch(rows, preprocess)


def _batch(
    rows: Sequence[tuple[Page, NDArray[np.uint8]]], preprocess: Preprocess | TextInput
) -> tuple[Batch, list[Page]]:
    pages = [page for page, _ in rows]
    inputs = torch.from_numpy(preprocess.network(np.stack([one for _, one in rows])))
    return Batch(inputs, {}, tuple(Key(page.id, 0) for page in pages)), pages


def _has(model: Model, tap: str) -> bool:
    try:
        resolve(model, tap)
    except TapError:
        return False
    return not isinstance(model.normalise, Tokenise) or len(shapes(model, [tap], (1, 1))[tap]) == 1


def _finite(values: Tensor, batch: Batch, what: str) -> NDArray[np.float32]:
    bad = ~torch.isfinite(values).all(1)
    if bad.any():
        page = batch.keys[int(bad.nonzero()[0, 0])].page
        raise InputError(f"page '{page}': {what} gives numbers that are not finite; evaluate and mend that model first")
    return np.asarray(values.cpu().numpy(), np.float32)


def _check_enough(pages: Sequence[Page], failed: Sequence[FailedPage], features: bool) -> None:
    least = LEAST_PAGES if features else 1
    if len(pages) < least:
        first = f", first {failed[0].reason}" if failed else ""
        raise InputError(
            f"agreement: {len(pages)} pages can be read and {len(failed)} cannot{first}; at least {least} are wanted"
        )


def _tables(pages: Sequence[Page], student: _Seen, teacher: _Seen) -> tuple[PageTable, PageTable] | None:
    if not student.probabilities or not teacher.probabilities:
        return None
    if student.labels != teacher.labels:
        raise ValueError(f"the teacher must give the student's {student.labels} in their order, got {teacher.labels}")
    ids = tuple(page.id for page in pages)
    targets = np.array([_target(page, student.labels) for page in pages], np.int64)
    first, second = (
        PageTable(ids, student.labels, targets, np.concatenate(rows.probabilities)) for rows in (student, teacher)
    )
    return first, second


def _target(page: Page, labels: Sequence[str]) -> int:
    if page.label is None:
        raise InputError(f"page '{page.id}' has no label; agreement on errors needs labelled pages")
    return label_index(labels, page.label, f"page '{page.id}'")


def _cka(student: Mapping[str, Floats], teacher: Mapping[str, Floats]) -> Floats:
    values = [[cka_debiased(one, other) for other in teacher.values()] for one in student.values()]
    return np.array(values, np.float64).reshape(len(student), len(teacher))
