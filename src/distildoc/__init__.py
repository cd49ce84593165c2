"""DistilDoc: distil heavy document models into small ones, and run them on documents without torch."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distildoc.predict.onnx_runtime import OnnxClassifier

__all__ = ["__version__", "load"]


def load(bundle: str | Path, *, batch: int = 8, threads: int | None = None) -> "OnnxClassifier":
    """Open a bundle folder; the result, called with pages, gives a prediction for each. Never imports torch.

    batch    pages a run of the network.
    threads  CPU threads; None: one a core.

    Raises InputError for a folder that is no bundle, or a damaged one.
    """
    from distildoc.predict.onnx_runtime import load as open_bundle  # onnxruntime takes longer to import than we may

    return open_bundle(bundle, batch=batch, threads=threads)


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module 'distildoc' has no attribute '{name}'")
    from importlib.metadata import version  # reads the installed metadata: not worth the time at import

    return version("distildoc")
