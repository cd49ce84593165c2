"""Words of a page's picture, through RapidOCR on onnxruntime (extra `ocr`; its models come with the package)."""

import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from distildoc.schema.pages import Page
from distildoc.schema.words import Word

LONGEST_PX = 1650  # of the picture that is read: 150 dpi of a letter page; at 2000 lines across a page are misread

logger = logging.getLogger(__name__)


def open_ocr(threads: int | None = None) -> Callable[[Page], list[Word]]:
    """The function that reads a page; raises ImportError where the extra is not installed.

    threads  CPU threads of each of its three networks; None: one a core.
    """
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise ImportError("reading scans needs rapidocr: pip install 'distildoc[ocr]'") from error
    logging.getLogger("RapidOCR").setLevel(logging.WARNING)
    engine = RapidOCR(
        params={
            "Global.log_level": "warning",
            "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )

    def read(page: Page) -> list[Word]:
        image = page.image(LONGEST_PX).convert("RGB")
        found = engine(np.asarray(image)[:, :, ::-1], return_word_box=True)  # it wants blue first
        return list(_words(found.word_results or (), image.size))

    return read


def _words(
    lines: Sequence[Sequence[tuple[str, float, Sequence[Sequence[float]]]]], size: tuple[int, int]
) -> Iterator[Word]:
    """Words of all lines; boxes are given as four corners, which skew may turn."""
    for line in lines:
        for text, confidence, corners in line:
            if not text.strip() or not len(corners):
                continue
            shares = np.clip(np.asarray(corners, np.float64) / np.array(size), 0, 1)
            (left, top), (right, bottom) = shares.min(0).tolist(), shares.max(0).tolist()
            yield Word(text.strip(), (left, top, right, bottom), float(confidence))
