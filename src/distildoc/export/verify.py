"""Verify: does a bundle say the same as the student it came from, on real pages?"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from distildoc.core.model import Model
from distildoc.export.verified import TOLERANCE, check_origin, write_result
from distildoc.predict.classify import softmax
from distildoc.predict.onnx_runtime import OnnxClassifier, load
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page


@dataclass(frozen=True)
class Verification:
    """How far bundle and student are apart.

    pages, failed           compared, and left out because they cannot be read.
    logit_difference        largest difference of a calibrated logit.
    probability_difference  largest difference of a probability.
    agreement               share of pages with the same most probable class, 0..1.
    """

    bundle: str
    pages: int
    failed: int
    logit_difference: float
    probability_difference: float
    agreement: float
    tolerance: float
    passed: bool


def verify(
    folder: str | Path,
    model: Model,
    pages: Iterable[Page | FailedPage],
    *,
    tolerance: float = TOLERANCE,
    batch: int = 8,
) -> Verification:
    """Compare a bundle with its student on pages; the result is written to verify.json in the bundle.

    Fails where a probability differs by more than `tolerance`, or a logit by more than that share of the largest one.
    Raises InputError on drift, for a bundle of another student, or where no page can be read.
    """
    predictor = load(folder, batch=batch)
    check_origin(predictor.bundle, model, str(folder))
    compared, failed = _compare(predictor, model, pages)
    if not compared:
        raise InputError(f"{folder}: nothing to verify on: none of {failed} pages can be read")
    bundle, student = (np.concatenate(parts) for parts in zip(*compared, strict=True))
    logits = float(np.abs(bundle - student).max())
    probabilities = float(np.abs(softmax(bundle) - softmax(student)).max())
    limit = tolerance * max(1.0, float(np.abs(student).max()))
    found = Verification(
        bundle=predictor.bundle.id,
        pages=len(bundle),
        failed=failed,
        logit_difference=logits,
        probability_difference=probabilities,
        agreement=float((bundle.argmax(1) == student.argmax(1)).mean()),
        tolerance=tolerance,
        passed=probabilities <= tolerance and logits <= limit,
    )
    write_result(folder, asdict(found))
    if not found.passed:
        raise InputError(
            f"{folder}: drift: on {found.pages} pages a probability differs by {probabilities:.2g} (allowed "
            f"{tolerance:g}) and a logit by {logits:.2g} (allowed {limit:.2g}); export the student again"
        )
    return found


def _compare(
    predictor: OnnxClassifier, model: Model, pages: Iterable[Page | FailedPage]
) -> tuple[list[tuple[NDArray[np.float32], NDArray[np.float32]]], int]:
    """Calibrated logits of bundle and student, batch by batch, and the number of unreadable pages."""
    compared, failed, stream, training = [], 0, iter(pages), model.training
    model.eval()
    while chunk := list(islice(stream, predictor.batch)):
        decoded = [pixels for pixels in map(predictor.pixels_of, chunk) if not isinstance(pixels, FailedPage)]
        failed += len(chunk) - len(decoded)
        if decoded:
            inputs = predictor.bundle.preprocess.network(np.stack(decoded))
            compared.append((predictor.run(inputs), _student(model, inputs) / predictor.bundle.temperature))
    model.train(training)
    return compared, failed


def _student(model: Model, inputs: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
    device = next(model.parameters()).device
    with torch.no_grad():
        logits: NDArray[np.float32] = model(torch.from_numpy(inputs).to(device))["logits"].float().cpu().numpy()
    return logits
