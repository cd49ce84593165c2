"""Files and folders in, result files out: what `distildoc predict` does."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from distildoc.predict import GROUPS, WRITERS
from distildoc.predict.abstaining import Choice
from distildoc.predict.onnx_runtime import OnnxClassifier
from distildoc.predict.open import open_bundle
from distildoc.predict.page_text import own_words, words_or_ocr
from distildoc.predict.reading import Reading, WordsOf, read
from distildoc.schema.bundle import Bundle, read_bundle
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import FailedPage
from distildoc.schema.predictions import Classification, Layout
from distildoc.schema.sources import count_pages, pages_from, parse_page_range
from distildoc.schema.text_sources import count_texts, texts_from
from distildoc.schema.texts import noun_of
from distildoc.schema.writing import new_files

Result = Classification | Reading  # what writers get


class Writer(Protocol):
    """What a module of WRITERS has."""

    TARGET: str

    def writing(self, path: Path, bundle: Bundle) -> AbstractContextManager[Callable[[Result | FailedPage], None]]: ...


class LayoutWriter(Writer, Protocol):
    """What a module of the layout formats has besides: whether it uses the text of the page."""

    TEXT: bool


@dataclass(frozen=True)
class Summary:
    """Pages predicted, pages that could not be read, and the files and folders written.

    abstained  how many of the predicted pages were not answered.
    noun       what was predicted, in the plural.
    choice     the threshold for that, and what it rests on; None where every page was to be answered.
    """

    pages: int
    failed: int
    written: tuple[Path, ...]
    abstained: int = 0
    choice: Choice | None = None
    noun: str = "pages"


def predict_files(
    bundle: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    pages: str | None = None,
    password: str | None = None,
    recursive: bool = True,
    formats: Sequence[str] | None = None,
    batch: int | None = None,
    threads: int | None = None,
    thresholds: Sequence[str] = (),
    max_error: float | None = None,
    sure: float | None = None,
    ocr: bool = False,
    column: str = "text",
    others: Sequence[str | Path] = (),
    skip_bad: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Predict every page of some files and write the results below `out`; memory stays bounded.

    pages       of every file, as in 1-3,7 or 10-; None: all.
    formats     names of WRITERS for the bundle's task; None: all of them.
    batch       pages a run of the network; None: 8 for a classifier, 1 for layouts.
    thresholds  layouts: least score of a region, as in 0.4 for all classes or Table=0.6 for one.
    max_error   classes: abstain from pages, least sure first, so that this error rate is kept (predict/abstaining.py).
    sure        classes: probability with which it is to be kept on pages like those of validation.
    ocr         layouts: read pages that carry no text (extra `ocr`).
    column      texts: the column of a table that holds them.
    others      layouts: bundles whose regions are fused with those of this one (predict/fusion.py).
    skip_bad    let pages that cannot be read stand in the results as failed; else the first one raises InputError.
    progress    called with (done, total) after every page.

    Nothing is written unless all is: after an error `out` is as it was. A folder of results replaces an earlier one.
    """
    described = read_bundle(bundle)
    writers = [_writer(name, described.task) for name in dict.fromkeys(formats or WRITERS[described.task])]
    wanted_scores = parse_thresholds(thresholds, described.labels)
    opened = open_bundle(
        bundle,
        batch=batch,
        threads=threads,
        thresholds=wanted_scores,
        max_error=max_error,
        sure=sure,
        others=others,
    )
    wanted = None if pages is None else parse_page_range(pages)
    if described.reads_texts:
        if wanted is not None or password is not None:
            raise InputError("--pages and --password are for documents; this bundle reads texts")
        total = count_texts(paths, recursive=recursive, column=column)
        stream = texts_from(paths, recursive=recursive, column=column)
    else:
        total = count_pages(paths, recursive=recursive, pages=wanted, password=password)
        stream = pages_from(paths, recursive=recursive, pages=wanted, password=password)
    results = _results(opened(stream), _words_of(described.task, writers, ocr=ocr, threads=threads))
    counts = Counter[str]()
    with new_files(Path(out)) as part:
        for result in _written(results if skip_bad else _all_readable(results), writers, part, opened.bundle):
            counts[_state(result)] += 1
            progress(counts.total(), total)
    return Summary(
        counts["answered"] + counts["abstained"],
        counts["failed"],
        tuple(Path(out) / writer.TARGET for writer in writers),
        counts["abstained"],
        opened.choice if isinstance(opened, OnnxClassifier) else None,
        noun_of(described.preprocess),
    )


def parse_thresholds(options: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """Read "0.4" (all classes) and "Table=0.6"; what is said of one class goes before what is said of all.

    >>> parse_thresholds(["Table=0.6", "0.4"], ["Text", "Table"])
    {'Text': 0.4, 'Table': 0.6}
    """
    every: dict[str, float] = {}
    named: dict[str, float] = {}
    for option in options:
        label, _, value = option.rpartition("=")
        try:
            score = float(value)
        except ValueError:
            score = -1.0
        if not 0 <= score <= 1:
            raise InputError(f"threshold '{option}': write a score from 0 to 1, as in 0.4 or Table=0.6")
        if label and label not in labels:
            raise InputError(f"threshold '{option}': unknown class '{label}'; {closest(label, labels)}")
        named.update({label: score} if label else {})
        every = every if label else dict.fromkeys(labels, score)
    return {**every, **named}


def _state(result: Result | FailedPage) -> str:
    if isinstance(result, FailedPage):
        return "failed"
    return "abstained" if isinstance(result, Classification) and result.abstained else "answered"


def _words_of(task: str, writers: Sequence[Writer], *, ocr: bool, threads: int | None) -> WordsOf | None:
    """How the text of pages is read; None where no format uses it."""
    if task != "detection":
        if ocr:
            raise InputError("OCR is for layouts; this bundle predicts the classes of pages")
        return None
    if not any(cast(LayoutWriter, writer).TEXT for writer in writers):
        return None
    return words_or_ocr(threads) if ocr else own_words


def _results(
    predictions: Iterable[Classification | Layout | FailedPage], words_of: WordsOf | None
) -> Iterator[Result | FailedPage]:
    """Layouts with the text that their pages carry; a page whose text cannot be read has failed."""
    for found in predictions:
        if not isinstance(found, Layout):
            yield found
            continue
        try:
            yield read(found, words_of)
        except InputError as error:
            yield FailedPage(found.page.id, found.page.source, found.page.number, str(error))


def _written(
    results: Iterable[Result | FailedPage], writers: Sequence[Writer], folder: Path, bundle: Bundle
) -> Iterator[Result | FailedPage]:
    """Each result once every format has it; the files are whole when all have been asked for."""
    with ExitStack() as stack:
        writes = [stack.enter_context(writer.writing(folder / writer.TARGET, bundle)) for writer in writers]
        for result in results:
            for write in writes:
                write(result)
            yield result


def _all_readable(results: Iterable[Result | FailedPage]) -> Iterator[Result]:
    for result in results:
        if isinstance(result, FailedPage):
            raise InputError(f"{result.reason}; leave out pages that cannot be read with --skip-bad")
        yield result


def _writer(name: str, task: str) -> Writer:
    """The module of a format, ours or an installed one (entry points of the task's group)."""
    installed = {entry.name: entry.value for entry in entry_points(group=GROUPS[task])}
    modules = {**installed, **WRITERS[task]}
    if name not in modules:
        raise InputError(f"unknown result format '{name}'; {closest(name, modules)}")
    return cast(Writer, import_module(modules[name]))
