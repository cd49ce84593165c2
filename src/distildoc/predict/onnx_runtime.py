"""A classification bundle on onnxruntime, on the CPU."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from distildoc.predict.classify import classified, softmax
from distildoc.schema.bundle import Bundle, read_bundle
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification
from distildoc.schema.preprocess import to_network_input

Decoded = tuple[Page, NDArray[np.uint8]] | FailedPage


class OnnxClassifier:
    """Pages to calibrated class probabilities, in order; at most `batch` decoded pages are held at a time."""

    def __init__(self, folder: str | Path, *, batch: int = 8, threads: int | None = None) -> None:
        """Open a bundle; raises InputError where it is damaged or does not say what its graph does.

        batch    pages a run of the network.
        threads  CPU threads; None: one a core.
        """
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self.bundle = read_bundle(folder)
        self.batch = batch
        self._session = _session(Path(folder) / self.bundle.graph.file, threads)
        _check_graph(self._session, self.bundle, str(folder))

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bundle.labels

    def __call__(self, pages: Iterable[Page | FailedPage]) -> Iterator[Classification | FailedPage]:
        """One result a page, in order; a page that cannot be read comes back as a FailedPage in its place."""
        decoded = self._decoded(pages)
        while chunk := list(islice(decoded, self.batch)):
            yield from self._classified(chunk)

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[B, height, width, 3] bytes, as `bundle.preprocess` makes them, to calibrated logits [B, classes]."""
        return self.run(to_network_input(pixels))

    def run(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """[B, 3, height, width] in 0..1 to calibrated logits [B, classes]."""
        graph = self.bundle.graph
        (logits,) = self._session.run([graph.outputs[0]], {graph.inputs[0]: pixels})
        return np.asarray(logits, dtype=np.float32)

    def pixels_of(self, page: Page | FailedPage) -> NDArray[np.uint8] | FailedPage:
        """[height, width, 3] bytes of a page, or why there are none."""
        if isinstance(page, FailedPage):
            return page
        preprocess = self.bundle.preprocess
        try:
            return preprocess(page.image(preprocess.longest_px))
        except InputError as error:
            return FailedPage(page.id, page.source, page.number, str(error))

    def _decoded(self, pages: Iterable[Page | FailedPage]) -> Iterator[Decoded]:
        """Each page is decoded before the next is asked for, so that a document is open only once."""
        for page in pages:
            pixels = self.pixels_of(page)
            if isinstance(pixels, FailedPage):
                yield pixels
            elif isinstance(page, Page):
                yield page, pixels

    def _classified(self, chunk: Sequence[Decoded]) -> Iterator[Classification | FailedPage]:
        read = [decoded for decoded in chunk if not isinstance(decoded, FailedPage)]
        rows = iter(softmax(self.logits(np.stack([pixels for _, pixels in read])))) if read else iter(())
        for decoded in chunk:
            if isinstance(decoded, FailedPage):
                yield decoded
            else:
                yield classified(decoded[0], self.labels, next(rows))


def load(folder: str | Path, *, batch: int = 8, threads: int | None = None) -> OnnxClassifier:
    """Open a bundle; `load(folder)(pages)` gives a prediction for every page."""
    return OnnxClassifier(folder, batch=batch, threads=threads)


def _session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its warnings are no business of the user; errors come as exceptions
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for every kind of damage
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: onnxruntime cannot open the graph ({reason}); export it again") from None


def _check_graph(session: onnxruntime.InferenceSession, bundle: Bundle, where: str) -> None:
    """The graph takes and gives what bundle.json says, or an InputError."""
    inputs = {item.name: item.shape for item in session.get_inputs()}
    outputs = {item.name: item.shape for item in session.get_outputs()}
    size = [3, bundle.preprocess.height, bundle.preprocess.width]
    if set(inputs) != set(bundle.graph.inputs) or not set(bundle.graph.outputs) <= set(outputs):
        raise InputError(
            f"{where}: the graph has inputs {sorted(inputs)} and outputs {sorted(outputs)}, bundle.json says "
            f"{list(bundle.graph.inputs)} and {list(bundle.graph.outputs)}; export the bundle again"
        )
    if inputs[bundle.graph.inputs[0]][1:] != size:
        raise InputError(f"{where}: the graph reads {inputs[bundle.graph.inputs[0]]}, bundle.json says {size} a page")
    if outputs[bundle.graph.outputs[0]][-1] != len(bundle.labels):
        classes = outputs[bundle.graph.outputs[0]][-1]
        raise InputError(f"{where}: the graph gives {classes} classes, bundle.json names {len(bundle.labels)}")
