"""What a student of studies/systems/beyond*.yaml is worth on every axis, on the pages as they are and on draws of them.

All students of the study see the same pages, which are decoded, damaged and drawn once. Accuracies, and the expected
calibration error before any temperature is fitted. Pages are damaged as in `exams: corruptions`, attacked as in `exams:
attacks`; transfer is a linear probe of the penultimate features (distildoc.metrics.probe).
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.data.corruptions import KINDS
from distildoc.data.corruptions.kept import DamagedPages
from distildoc.data.pageset import PageSet, per_class, relabel, some
from distildoc.data.readers.corpus import read
from distildoc.evaluate.attacks import Attack, right, withstood
from distildoc.metrics import SCORES, Outcomes, outcomes
from distildoc.metrics.bootstrap import draws
from distildoc.metrics.outcomes import Floats
from distildoc.metrics.probe import probed
from distildoc.metrics.retrieval import Vectors
from distildoc.recipes.attacks import batches_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.pages import test_pages
from distildoc.recipes.sizes import preprocess_of
from distildoc.schema.labels import LabelMap
from distildoc.study.statistics import PAGE_SEED, drawn_scores
from distildoc.teach.live import Live

DRAWS = 4000
SEVERITY, DAMAGED_PAGES = 2, 120  # of 1 to 5; of the test pages
ATTACK = Attack("pgd-10", 0.01, 10)  # epsilon of 0..1, small enough that labels alone withstand it on some pages
PROBE_PAGES = {"train": 40, "val": 20, "test": 30}  # of every class, by split of the corpus

Drawn = dict[str, Floats]  # score -> on the pages as they are, then on every draw, [1 + R]


@dataclass(frozen=True)
class Exams:
    """Pages in batches: the test pages; some of them under each kind of damage; three splits of unseen pages."""

    labels: tuple[str, ...]
    test: Sequence[Batch]
    damaged: Sequence[Sequence[Batch]]
    probe: Sequence[Sequence[Batch]]
    unseen: tuple[str, ...]


def unseen_pages(corpus: Path, labels: tuple[str, ...]) -> list[PageSet]:
    """Pages of a corpus of the classes that are not among `labels`: to learn a probe from, to choose on, to test it."""
    known = LabelMap({}, drop=tuple(labels))
    return [
        per_class(relabel(read(path=corpus, split=split), known), count, seed=0) for split, count in PROBE_PAGES.items()
    ]


def exams_of(config: RunConfig, labels: tuple[str, ...], probe: Sequence[PageSet]) -> Exams:
    """The pages of a run of the study; `probe` are three splits of pages of a kind that no student has seen."""
    test = test_pages(config.data, labels)
    return Exams(
        labels,
        batches_of(config, test)(),
        _damaged(config, some(test, DAMAGED_PAGES, seed=0)),
        [batches_of(config, pages)() for pages in probe],
        probe[0].labels,
    )


def _damaged(config: RunConfig, pages: PageSet) -> list[Sequence[Batch]]:
    settings = [(kind, SEVERITY) for kind in KINDS]
    with tempfile.TemporaryDirectory(prefix="distildoc-") as folder:
        damaged = DamagedPages(pages, preprocess_of(config), Path(folder), 0)
        home = damaged.make(settings)
        return [batches_of(config, replace(pages, pages=tuple(damaged.under(setting, home))))() for setting in settings]


def on_test_pages(model: Model, exams: Exams) -> tuple[Outcomes, Drawn]:
    """What it says of the test pages, and its scores there."""
    with torch.no_grad():
        said = torch.cat([model(batch.inputs)["logits"].softmax(-1) for batch in exams.test])
    found = outcomes(said.double().numpy(), _classes(exams.test))
    return found, drawn_scores(found, {name: SCORES[name] for name in ("accuracy", "macro_f1", "ece")}, DRAWS)


def beyond_accuracy(model: Model, exams: Exams) -> Drawn:
    """Damaged pages, pages under attack, and other classes."""
    damaged = [right(model, batches).double().numpy() for batches in exams.damaged]
    vectors = [_vectors(model, batches) for batches in exams.probe]
    return {
        "damaged": drawn_mean(np.mean(damaged, 0)),
        "attacked": drawn_mean(withstood(model, exams.test, ATTACK).double().numpy()),
        "transfer": drawn_mean(probed(*vectors)),
    }


def drawn_mean(values: Floats) -> Floats:
    """Mean of [N] and of every draw of them, [1 + R]."""
    drawn = [counts @ values / len(values) for counts in draws(len(values), seed=PAGE_SEED, resamples=DRAWS)]
    return np.concatenate([[values.mean()], *drawn])


def accuracy_on(found: Outcomes, classes: Sequence[int]) -> Floats:
    """Accuracy on pages of some classes, [1 + R]."""
    return drawn_mean(found.select(np.isin(found.targets, classes)).hits)


def _vectors(model: Model, batches: Sequence[Batch]) -> Vectors:
    features: Callable[[Batch], torch.Tensor] = _penultimate(model)
    rows = torch.cat([features(batch) for batch in batches]).flatten(1).double().numpy()
    return Vectors(tuple(key.page for batch in batches for key in batch.keys), _classes(batches), rows)


def _penultimate(model: Model) -> Callable[[Batch], torch.Tensor]:
    answers = Live(model, taps=("penultimate",), outputs=False)
    return lambda batch: answers(batch).features["penultimate"]


def _classes(batches: Sequence[Batch]) -> np.ndarray:
    return torch.cat([batch.targets["label"] for batch in batches]).numpy()
