"""DistilDoc: distil heavy document models into small ones, and run them on documents without torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distildoc.predict.fusion import FusedLayouts
    from distildoc.predict.layout import OnnxLayout
    from distildoc.predict.onnx_runtime import OnnxClassifier

__all__ = ["__version__", "load"]


def load(
    bundle: str | Path,
    *,
    batch: int | None = None,
    threads: int | None = None,
    thresholds: Mapping[str, float] | None = None,
    max_error: float | None = None,
    sure: float | None = None,
    others: Sequence[str | Path] = (),
) -> "OnnxClassifier | OnnxLayout | FusedLayouts":
    """Open a bundle folder; the result, called with pages, gives a prediction for each. Never imports torch.

    batch       pages a run of the network; None: 8 for a classifier, 1 for layouts.
    threads     CPU threads; None: one a core.
    thresholds  layouts: least score of a region, by class; other classes keep those of the bundle.
    others      layouts: bundles whose regions are fused with those of this one.
    max_error   classifiers: abstain (`prediction.abstained`) below the confidence that keeps errors among answered
                validation pages at this rate, 0..1; None: answer every page.
    sure        classifiers: choose that confidence so that the rate holds with this probability, as in 0.95.

    Raises InputError for a folder that is no bundle, a damaged one, or an error rate that it cannot reach.
    """
    from distildoc.predict.open import open_bundle  # onnxruntime takes longer to import than we may

    return open_bundle(
        bundle,
        batch=batch,
        threads=threads,
        thresholds=thresholds,
        max_error=max_error,
        sure=sure,
        others=others,
    )


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module 'distildoc' has no attribute '{name}'")
    from importlib.metadata import version  # reads the installed metadata: not worth the time at import

    return version("distildoc")
