"""The exam of retrieval: the test pages of a run ask for pages of their class, by the vectors of its student."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict

from distildoc.core.model import Model
from distildoc.data.pageset import PageSet, some
from distildoc.evaluate.vectors import vectors
from distildoc.metrics.retrieval import DISTANCES, Vectors, answered, retrieval
from distildoc.models.grids import grid_of
from distildoc.models.load import fingerprint
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exam import exam_hash, is_done
from distildoc.recipes.exams_config import RetrievalConfig
from distildoc.recipes.finished import student_of_run
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.pages import test_pages, training_pages
from distildoc.recipes.screen import Advance, Screen, counted
from distildoc.recipes.sizes import input_of, size_of
from distildoc.schema.errors import ConfigError
from distildoc.schema.pages import FailedPage
from distildoc.schema.report import Score
from distildoc.schema.texts import noun_of
from distildoc.teach.live import Live

FORMAT = 1
RESULT = "exams/retrieval.json"
SEED = 0  # of the choice of pages
SHOWN = "map"


def retrieval_exam(folder: RunFolder, settings: RetrievalConfig, screen: Screen) -> str:
    """Write exams/retrieval.json into the run's folder where it is not there yet; a line of what was found.

    Every query is a test page; the database holds the run's training pages, or all test pages but the query itself.
    Raises ConfigError for a run whose pages have no classes, InputError for one that is not finished.
    """
    config = folder.config()
    if config.task != "classification":
        raise ConfigError(f"{folder.path}: `exams.retrieval` finds pages of the same class, which layouts have not")
    model, _ = student_of_run(folder)
    tests = test_pages(config.data, model.labels)
    fewer = settings.pages is not None and settings.pages < len(tests)
    queries = some(tests, settings.pages or 0, seed=SEED) if fewer else tests
    database = tests if settings.database == "test" else training_pages(config.data, screen).train
    out = folder.path / RESULT
    hash = exam_hash(fingerprint(model), (FORMAT, settings.model_dump(), queries.fingerprint), database)
    if is_done(out, hash):
        return f"{out}: already done"
    wanted = {"database": database} if queries is database else {"queries": queries, "database": database}
    found = {
        name: _vectors(model, pages, config, tap=settings.tap, bar=screen.bar(name)) for name, pages in wanted.items()
    }
    asking, asked = found.get("queries", found["database"]), found["database"]
    scores = {
        name: retrieval(answered(asking[0], asked[0], distance=distance, at=settings.at))
        for name, distance in DISTANCES.items()
    }
    content = {
        "format": FORMAT,
        "hash": hash,
        "tap": settings.tap,
        "database": {"pages": settings.database, "count": len(asked[0]), "failed": len(asked[1])},
        "queries": {"count": len(asking[0]), "failed": len(asking[1])},
        **{name: {key: asdict(score) for key, score in some.items()} for name, some in scores.items()},
    }
    write_text(out, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return f"{out}: {_line(scores)}, {len(asking[0])} queries in {len(asked[0])} {noun_of(input_of(config))}"


def _vectors(
    model: Model, pages: PageSet, config: RunConfig, *, tap: str, bar: AbstractContextManager[Advance]
) -> tuple[Vectors, tuple[FailedPage, ...]]:
    answers, grid = Live(model, taps=(tap,), outputs=False), grid_of(model, size_of(config))
    with bar as advance:
        watched = counted(pages.pages, advance)
        return vectors(answers, watched, preprocess=input_of(config), tap=tap, grid=grid, labels=model.labels)


def _line(scores: Mapping[str, Mapping[str, Score]]) -> str:
    told = [f"{name} {SHOWN} {some[SHOWN].value:.4f}" for name, some in scores.items() if SHOWN in some]
    return ", ".join(told) or "no query has a page to find"
