"""TorchPredictor: a torch model as a Predictor, so that it is scored by the code that scores its bundle."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from distildoc.core.model import Model, evaluating
from distildoc.evaluate.streams import streamed
from distildoc.predict.classify import classified, softmax
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification
from distildoc.schema.preprocess import Preprocess
from distildoc.schema.texts import TextInput


@dataclass(frozen=True)
class PageLogits:
    """Logits [C] in fp32 of one page, before any temperature."""

    page: Page
    logits: NDArray[np.float32]


class TorchPredictor:
    """Streams pages through a model in batches; holds the pixels of one batch.

    The model runs in eval mode without gradients, and every module is back in its own mode after each batch.
    `temperature` divides the logits. `device` None leaves the model where it is; otherwise it is moved there.
    """

    def __init__(
        self,
        model: Model,
        preprocess: Preprocess | TextInput,
        *,
        temperature: float = 1.0,
        batch: int = 32,
        device: torch.device | str | None = None,
    ) -> None:
        if not temperature > 0 or batch < 1:
            raise ValueError(f"temperature must be above 0 and batch at least 1, got {temperature} and {batch}")
        self.model = model if device is None else model.to(device)
        self.preprocess = preprocess
        self.temperature = temperature
        self.batch = batch

    @property
    def labels(self) -> tuple[str, ...]:
        return self.model.labels

    def __call__(self, pages: Iterable[Page]) -> Iterator[Classification | FailedPage]:
        """Probabilities in page order; a page that cannot be read or scored comes back as a FailedPage in its place."""
        for answer in self.logits(pages):
            if isinstance(answer, FailedPage):
                yield answer
            else:
                scaled = answer.logits[None] / np.float32(self.temperature)
                yield classified(answer.page, self.labels, softmax(scaled)[0])

    def logits(self, pages: Iterable[Page]) -> Iterator[PageLogits | FailedPage]:
        """Logits in page order, for fitting a temperature."""
        for answer in streamed(pages, self.preprocess, self._forward, batch=self.batch):
            yield answer if isinstance(answer, FailedPage) else PageLogits(answer[0].page, answer[1])

    def _forward(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        device = next(self.model.parameters()).device
        inputs = torch.from_numpy(self.preprocess.network(pixels)).to(device)
        with evaluating(self.model), torch.no_grad():
            logits = self.model(inputs)["logits"]
        return np.asarray(logits.float().cpu().numpy(), np.float32)


def labelled_logits(predictor: TorchPredictor, pages: Iterable[Page]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits [N, C] and true classes [N] of the pages that have a known label and can be read.

    Raises InputError where none is left.
    """
    rows, targets = [], []
    for answer in predictor.logits(page for page in pages if page.label in predictor.labels):
        if not isinstance(answer, FailedPage) and answer.page.label is not None:
            rows.append(answer.logits)
            targets.append(predictor.labels.index(answer.page.label))
    if not rows:
        raise InputError(f"no labelled page can be read to fit a temperature; classes: {', '.join(predictor.labels)}")
    return np.stack(rows), np.array(targets, np.int64)
