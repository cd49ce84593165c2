"""Any bundle, by its task."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from distildoc.predict.fusion import FusedLayouts
from distildoc.predict.layout import OnnxLayout
from distildoc.predict.onnx_runtime import OnnxClassifier
from distildoc.schema.bundle import read_bundle
from distildoc.schema.errors import InputError

CLASSIFIER_BATCH = 8


def open_bundle(
    folder: str | Path,
    *,
    batch: int | None = None,
    threads: int | None = None,
    thresholds: Mapping[str, float] | None = None,
    max_error: float | None = None,
    sure: float | None = None,
    others: Sequence[str | Path] = (),
) -> OnnxClassifier | OnnxLayout | FusedLayouts:
    """The predictor of a bundle; InputError where the folder is none, or is given what is for the other task.

    batch            pages a run of the network; None: 8 for a classifier, 1 for layouts.
    threads          CPU threads; None: one a core.
    thresholds       layouts: least score of a region, by class; other classes keep those of the bundle.
    max_error, sure  classifiers: abstain where that error rate would be passed (predict/abstaining.py).
    others           layouts: bundles that answer together with this one (predict/fusion.py).
    """
    if read_bundle(folder).task == "detection":
        if max_error is not None or sure is not None:
            raise InputError(
                f"{folder}: an error rate is for classes; this bundle predicts the layout of pages, set the least "
                "score of a region with --threshold"
            )
        folders = [Path(folder), *map(Path, others)]
        size = 1 if batch is None else batch
        members = [OnnxLayout(one, batch=size, threads=threads, thresholds=thresholds) for one in folders]
        return FusedLayouts(members, folders) if others else members[0]
    if others:
        raise InputError(f"{folder}: only bundles of layouts answer together; this one predicts classes")
    if thresholds:
        raise InputError(f"{folder}: thresholds are for layouts; this bundle predicts the classes of pages")
    pages = CLASSIFIER_BATCH if batch is None else batch
    return OnnxClassifier(folder, batch=pages, threads=threads, max_error=max_error, sure=sure)
