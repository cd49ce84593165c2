"""The risk-coverage curve of a run's student on its validation pages, which its bundle abstains by."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distildoc.core.model import Model
from distildoc.evaluate.torch_predictor import TorchPredictor, labelled_logits
from distildoc.metrics.selective import selective_curve
from distildoc.predict.classify import softmax
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import listed_pages
from distildoc.recipes.sizes import input_of
from distildoc.schema.errors import InputError
from distildoc.schema.selective import SelectiveCurve, curve_from_json

logger = logging.getLogger(__name__)


def curve_of(logits: NDArray[np.floating], targets: NDArray[np.int64], *, temperature: float) -> SelectiveCurve:
    """The curve of logits [N, C] divided by the temperature, as the bundle divides them, for true classes [N]."""
    return selective_curve(softmax((logits / temperature).astype(np.float32)), targets)


def exported_curve(config: RunConfig, student: Model, learnt: Mapping[str, Any]) -> SelectiveCurve | None:
    """The curve for the bundle of a run, from what its training wrote down, or from its validation pages.

    They are read for a run that was trained before curves were kept; None, with a warning, where they are gone.
    Raises InputError for a damaged curve.
    """
    if "selective" in learnt:
        try:
            return curve_from_json(learnt["selective"], "selective")
        except ValueError as error:
            raise InputError(f"run.json: {error}; train the run again") from None
    try:
        _, validation = listed_pages(config.data)
        logits, targets = labelled_logits(TorchPredictor(student, input_of(config)), validation.pages)
    except InputError as error:
        logger.warning("the bundle cannot abstain, its curve needs the validation pages: %s", error)
        return None
    return curve_of(logits, targets, temperature=float(learnt["temperature"]))
