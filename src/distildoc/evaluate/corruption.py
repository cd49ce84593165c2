"""Scores on damaged pages: a few numbers a setting, and what they come to.

Means over kinds and severities, and the share of the clean score that is lost, follow ImageNet-C (Hendrycks and
Dietterich 2019, arXiv:1903.12261, section 3), without its division by the errors of a reference model: the report
shows the baseline beside every method instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from distildoc.evaluate.layout_table import found_in, truth_of
from distildoc.metrics import accuracy, aurc, ece
from distildoc.metrics.detection import ap50s, layout_outcomes, maps
from distildoc.schema.errors import InputError
from distildoc.schema.labels import label_index
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Classification, Layout, P, Predictor

LOST = ("accuracy", "map")  # scores of which the share lost is told
Scores = Mapping[str, float]
Setting = tuple[str, int]  # kind, severity


def class_scores(predictor: Predictor[Classification], pages: Iterable[Page]) -> dict[str, float]:
    """accuracy, aurc and ece, 0..1; raises InputError for a page that cannot be read or has no known class."""
    answers = _answers(predictor, pages)
    probabilities = np.stack([answer.probabilities for answer in answers])
    targets = np.array([_target(answer.page, predictor.labels) for answer in answers], np.int64)
    return {score.__name__: score(probabilities, targets) for score in (accuracy, aurc, ece)}


def layout_scores(predictor: Predictor[Layout], pages: Iterable[Page]) -> dict[str, float]:
    """map and ap50, 0..1; raises InputError for a page that cannot be read, or where no page has a region."""
    answers = _answers(predictor, pages)
    truth = [truth_of(answer.page, predictor.labels) for answer in answers]
    if not any(len(page.classes) for page in truth):
        raise InputError(f"no region on {len(truth)} pages, nothing to score; name more pages")
    found = layout_outcomes(truth, [found_in(answer) for answer in answers], predictor.labels)
    once = np.ones((1, len(found)))
    return {"map": float(maps(found, once)[0]), "ap50": float(ap50s(found, once)[0])}


@dataclass(frozen=True)
class Robustness:
    """Scores of the same pages as they are and damaged.

    clean     of the pages as they are.
    kinds     of every kind: the scores at each severity, which stands among them.
    mean      over all kinds and severities, which weigh the same.
    relative  (clean - mean) / clean of accuracy or map: 0 where nothing is lost, 1 where all is; left out where the
              clean score is 0.
    """

    clean: Scores
    kinds: Mapping[str, Sequence[Scores]]
    mean: Scores
    relative: Scores


def robustness(clean: Scores, damaged: Mapping[Setting, Scores]) -> Robustness:
    """Sum up the scores of every (kind, severity)."""
    kinds: dict[str, list[Scores]] = {}
    for (kind, severity), scores in damaged.items():
        kinds.setdefault(kind, []).append({"severity": severity, **scores})
    mean = {name: float(np.mean([scores[name] for scores in damaged.values()])) for name in clean}
    relative = {name: (clean[name] - mean[name]) / clean[name] for name in LOST if clean.get(name)}
    return Robustness(clean, kinds, mean, relative)


def _answers(predictor: Predictor[P], pages: Iterable[Page]) -> Sequence[P]:
    answers = []
    for answer in predictor(pages):
        if isinstance(answer, FailedPage):
            raise InputError(f"{answer.id}: {answer.reason}")
        answers.append(answer)
    if not answers:
        raise InputError("no page to score")
    return answers


def _target(page: Page, labels: Sequence[str]) -> int:
    if page.label is None:
        raise InputError(f"page '{page.id}' has no label; scores need labelled pages")
    return label_index(labels, page.label, f"page '{page.id}'")
