"""A classification bundle, of pages or of texts, on onnxruntime, on the CPU."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distildoc.predict.abstaining import Choice, check_wanted, chosen
from distildoc.predict.classify import classified, softmax
from distildoc.predict.decoding import Decoded, decoded, pixels_of
from distildoc.predict.session import bundle_for, check_graph, open_session
from distildoc.schema.bundle import Bundle
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification
from distildoc.schema.texts import TOKENIZER, bounded_tokenizer, read_tokenizer, texts_of, tokens_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class OnnxClassifier:
    """Pages to calibrated class probabilities, in order; at most `batch` decoded pages are held at a time.

    choice  the threshold below which it abstains, and what that rests on; None where it answers every page.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch: int = 8,
        threads: int | None = None,
        max_error: float | None = None,
        sure: float | None = None,
    ) -> None:
        """Open a bundle; raises InputError where it is damaged or does not say what its graph does.

        batch            pages a run of the network.
        threads          CPU threads; None: one a core.
        max_error, sure  abstain where that error rate would be passed (predict/abstaining.py).
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self.bundle = bundle_for(folder, "classification")
        self.batch = batch
        self.choice = _choice(self.bundle, max_error, sure, where=str(folder))
        self._session = open_session(Path(folder) / self.bundle.graph.file, threads)
        self._tokenizer = _tokenizer(Path(folder)) if self.bundle.reads_texts else None
        classes = check_graph(self._session, self.bundle, str(folder))[self.bundle.graph.outputs[0]][-1]
        if classes != len(self.labels):
            raise InputError(f"{folder}: the graph gives {classes} classes, bundle.json names {len(self.labels)}")

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bundle.labels

    def __call__(self, pages: Iterable[Page | FailedPage]) -> Iterator[Classification | FailedPage]:
        """One result a page, in order; a page that cannot be read comes back as a FailedPage in its place."""
        stream = decoded(pages, self.bundle.preprocess)
        while chunk := list(islice(stream, self.batch)):
            yield from self._classified(chunk)

    def logits(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[B, height, width, 3] bytes, or [B, L] of texts, as `bundle.preprocess` makes them, to calibrated logits
        [B, classes].
        """
        return self.run(self.bundle.preprocess.network(rows))

    def run(self, inputs: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pixels [B, 3, height, width] in 0..1, or texts [B, L], to calibrated logits [B, classes]."""
        graph = self.bundle.graph
        arrays = (inputs,) if self._tokenizer is None else tokens_of(self._tokenizer, texts_of(inputs.astype(np.uint8)))
        try:
            (logits,) = self._session.run([graph.outputs[0]], dict(zip(graph.inputs, arrays, strict=True)))
        except Exception as error:  # onnxruntime raises a class of its own for every misfit
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{graph.file}: the graph does not run ({reason}); export the bundle again") from None
        return np.asarray(logits, dtype=np.float32)

    def pixels_of(self, page: Page | FailedPage) -> NDArray[np.uint8] | FailedPage:
        """[height, width, 3] bytes of a page, or [L] of a text; or why there are none."""
        return pixels_of(page, self.bundle.preprocess)

    def _classified(self, chunk: Sequence[Decoded]) -> Iterator[Classification | FailedPage]:
        read = [entry for entry in chunk if not isinstance(entry, FailedPage)]
        threshold = self.choice.point.threshold if self.choice else None
        rows = iter(softmax(self.logits(np.stack([pixels for _, pixels in read])))) if read else iter(())
        for entry in chunk:
            if isinstance(entry, FailedPage):
                yield entry
            else:
                yield classified(entry[0], self.labels, next(rows), threshold=threshold)


def load(folder: str | Path, *, batch: int = 8, threads: int | None = None) -> OnnxClassifier:
    """Open a classification bundle; `load(folder)(pages)` gives a prediction for every page."""
    return OnnxClassifier(folder, batch=batch, threads=threads)


def _tokenizer(folder: Path) -> "Tokenizer":
    path = folder / TOKENIZER
    return bounded_tokenizer(read_tokenizer(path), str(path))


def _choice(bundle: Bundle, max_error: float | None, sure: float | None, *, where: str) -> Choice | None:
    check_wanted(max_error, sure)
    if max_error is None:
        return None
    if bundle.selective is None:
        raise InputError(
            f"{where}: the bundle has no risk-coverage curve to choose a threshold from; run `distildoc export` on its "
            "run again, with this version"
        )
    try:
        return chosen(bundle.selective, max_error, sure=sure)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
