"""Files and folders in, result files out: what `distildoc predict` does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from distildoc.predict import WRITERS
from distildoc.predict.onnx_runtime import load
from distildoc.schema.bundle import Bundle
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import FailedPage
from distildoc.schema.predictions import Prediction
from distildoc.schema.sources import count_pages, pages_from, parse_page_range
from distildoc.schema.writing import new_files

NAME = "predictions"


class Writer(Protocol):
    """What a module of WRITERS has."""

    SUFFIX: str

    def writing(
        self, path: Path, bundle: Bundle
    ) -> AbstractContextManager[Callable[[Prediction | FailedPage], None]]: ...


@dataclass(frozen=True)
class Summary:
    """Pages classified, pages that could not be read, and the files written."""

    pages: int
    failed: int
    written: tuple[Path, ...]


def predict_files(
    bundle: str | Path,
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    pages: str | None = None,
    password: str | None = None,
    recursive: bool = True,
    formats: Sequence[str] = ("json", "csv"),
    batch: int = 8,
    threads: int | None = None,
    skip_bad: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Classify every page of some files and write `out/predictions.json` and `.csv`; memory stays bounded.

    pages     of every file, as in 1-3,7 or 10-; None: all.
    skip_bad  go on past pages that cannot be read; they stand in the results as failed. Otherwise the first one
              raises InputError.
    progress  called with (done, total) after every page.

    Nothing is written unless all is: after an error `out` is as it was.
    """
    writers = [_writer(name) for name in dict.fromkeys(formats)]
    predictor = load(bundle, batch=batch, threads=threads)
    wanted = None if pages is None else parse_page_range(pages)
    total = count_pages(paths, recursive=recursive, pages=wanted, password=password)
    stream = pages_from(paths, recursive=recursive, pages=wanted, password=password)
    counts = {False: 0, True: 0}
    with new_files(Path(out)) as part, ExitStack() as stack:
        targets = [part / (NAME + writer.SUFFIX) for writer in writers]
        writes = [
            stack.enter_context(writer.writing(target, predictor.bundle))
            for writer, target in zip(writers, targets, strict=True)
        ]
        results = predictor(stream)
        for result in results if skip_bad else _all_readable(results):
            for write in writes:
                write(result)
            counts[isinstance(result, FailedPage)] += 1
            progress(sum(counts.values()), total)
    return Summary(counts[False], counts[True], tuple(Path(out) / target.name for target in targets))


def _all_readable(results: Iterable[Prediction | FailedPage]) -> Iterator[Prediction]:
    for result in results:
        if isinstance(result, FailedPage):
            raise InputError(f"{result.reason}; leave out pages that cannot be read with --skip-bad")
        yield result


def _writer(name: str) -> Writer:
    """The module of a format, ours or an installed one (entry points of group `distildoc.writers`)."""
    installed = {entry.name: entry.value for entry in entry_points(group="distildoc.writers")}
    modules = {**installed, **WRITERS}
    if name not in modules:
        raise InputError(f"unknown result format '{name}'; {closest(name, modules)}")
    return cast(Writer, import_module(modules[name]))
