"""What a run that finds the regions of pages does in its own way (see `tasks.py`)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from distildoc.core.model import Detector, Model
from distildoc.core.task import Task
from distildoc.data.augment import Augmentation
from distildoc.data.loader import Loader
from distildoc.data.pageset import PageSet
from distildoc.data.readers.coco import read as read_coco
from distildoc.data.targets import BoxTargets, Targets
from distildoc.evaluate.corruption import layout_scores
from distildoc.evaluate.cost import cost_of
from distildoc.evaluate.layout import TorchDetector, evaluate_layout
from distildoc.evaluate.layout_report import LayoutEvaluation
from distildoc.evaluate.layout_score import layout_score, outcomes_on
from distildoc.evaluate.layout_write import write_layout
from distildoc.evaluate.write import REPORT
from distildoc.export.bundle import write_bundle
from distildoc.export.verify_layout import verify_layout
from distildoc.metrics.detection import map_of
from distildoc.metrics.detection_curves import best_thresholds
from distildoc.models.detectors.build import build_detector, settings_of
from distildoc.predict.layout import OnnxLayout, load_layout
from distildoc.predict.postprocess import postprocess
from distildoc.recipes.begin import built
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exam import Exam, summary
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.sizes import preprocess_of, size_of
from distildoc.schema.bundle import DEFAULT_THRESHOLD, Bundle
from distildoc.schema.errors import ConfigError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.predictions import Layout, Predictor
from distildoc.schema.report import read_report
from distildoc.tasks.detection import detection

SHOWN = ("map", "ap50", "map_post", "f1")
Learnt = Mapping[str, Any]


def initial(config: RunConfig, labels: tuple[str, ...]) -> Model:
    return built(config, labels, build_detector, settings_of=settings_of)


def task(config: RunConfig, labels: tuple[str, ...]) -> Task:
    return detection(labels)


def targets(config: RunConfig, pages: PageSet, augmentation: Augmentation | None) -> Targets:
    return BoxTargets(pages, pages.labels, preprocess_of(config), augmentation)


def score(student: Model, loader: Loader) -> float:
    """COCO mAP@[.50:.95]."""
    return layout_score(as_detector(student), loader)


def learnt(config: RunConfig, student: Model, loader: Loader) -> dict[str, object]:
    found = outcomes_on(as_detector(student), loader)
    thresholds = best_thresholds(found) if config.export.calibrate else dict.fromkeys(student.labels, DEFAULT_THRESHOLD)
    return {"thresholds": thresholds, "validation_map": map_of(found)}


def labelled(path: Path, columns: Mapping[str, Any]) -> PageSet:
    """A COCO file with its images beside it."""
    return read_coco(path=path)


def evaluate(config: RunConfig, student: Model, learnt: Learnt, *, exam: Exam) -> str:
    predictor = TorchDetector(as_detector(student), preprocess_of(config))
    found = _scored(predictor, learnt["thresholds"], config.export.nms_iou, exam)
    found = replace(found, report=replace(found.report, cost=cost_of(student, size_of(config))))
    write_layout(found, exam.out)
    return summary(found.report, SHOWN)


def scores(config: RunConfig, student: Model, learnt: Learnt, *, pages: Iterable[Page]) -> dict[str, float]:
    return layout_scores(TorchDetector(as_detector(student), preprocess_of(config)), pages)


def evaluate_bundle(bundle: Path, exam: Exam) -> str:
    predictor = load_layout(bundle)
    found = _scored(_Raw(predictor), predictor.bundle.thresholds, predictor.bundle.nms_iou, exam)
    write_layout(found, exam.out)
    return summary(found.report, SHOWN)


def export(student: Model, learnt: Learnt, *, config: RunConfig, folder: RunFolder) -> Bundle:
    stored = folder.evaluation / REPORT
    return write_bundle(
        folder.bundle,
        as_detector(student),
        preprocess=preprocess_of(config),
        thresholds=learnt["thresholds"],
        nms_iou=config.export.nms_iou,
        source=folder.source(),
        report=read_report(stored) if stored.is_file() else None,
    )


def verify(
    config: RunConfig, student: Model, *, folder: RunFolder, pages: Iterable[Page]
) -> tuple[dict[str, object], str]:
    found = verify_layout(folder.bundle, as_detector(student), pages, tolerance=config.export.tolerance)
    return asdict(found), f"verified on {found.pages} pages"


def as_detector(student: Model) -> Detector:
    if not isinstance(student, Detector):
        raise ConfigError(f"task detection: the student is a {type(student).__name__}; name a detector as `model`")
    return student


def _scored(
    predictor: Predictor[Layout], thresholds: Mapping[str, float], nms_iou: float | None, exam: Exam
) -> LayoutEvaluation:
    """Raw scores, and those of what people get to see."""
    shown = partial(postprocess, thresholds=thresholds, nms_iou=nms_iou)
    return evaluate_layout(predictor, exam.pages, skip_bad=exam.skip_bad, post=shown, source=exam.source)


@dataclass(frozen=True)
class _Raw:
    """What a bundle's graph says, before thresholds."""

    bundle: OnnxLayout

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bundle.labels

    def __call__(self, pages: Iterable[Page]) -> Iterator[Layout | FailedPage]:
        return self.bundle.raw(pages)
