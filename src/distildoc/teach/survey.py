"""Survey: methods that ask for it see every training page once, with what the teacher says, before the first step."""

from collections.abc import Callable, Iterable, Iterator

import torch

from distildoc.core.batch import Batch
from distildoc.core.method import Seen, Surveys, Term
from distildoc.core.teacher import Teacher
from distildoc.schema.errors import ConfigError, InputError
from distildoc.teach.check import try_terms
from distildoc.teach.distiller import NOBODY, Distiller
from distildoc.teach.ensemble import Experts
from distildoc.teach.known import Known

Progress = Callable[[int, int], None]  # pages seen, pages in all
TRIED = 2  # pages of the trial afterwards


def surveying(terms: Iterable[Term]) -> list[Term]:
    """The terms that look at the pages first."""
    return [term for term in terms if isinstance(term.method, Surveys)]


def survey(
    distiller: Distiller,
    teacher: Teacher | Experts | None,
    pages: Callable[[], Iterable[Batch]],
    *,
    count: int,
    views: Callable[[], Iterable[Batch]] | None = None,
    progress: Progress | None = None,
) -> None:
    """One pass over the pages for every term that wants one; then each of these terms is tried on two of them.

    pages  gives each of the `count` training pages once.
    views  gives them in every view, for terms with `Needs.every_view`; None: they have one.

    Raises ConfigError for a term that does not fit the models or pages. Changes nothing where no term surveys.
    """
    device = next(distiller.parameters()).device
    wanting = surveying(distiller.terms)
    for number, term in enumerate(wanting):
        known = distiller.known if term.method.needs.reads_outputs else None
        looked_at = views if views is not None and term.method.needs.every_view else pages
        seen = _seen(teacher, looked_at(), device, known)
        _survey(term, _counted(seen, number * count, count * len(wanting), progress))
    if wanting:
        first = next(iter(pages()))
        try_terms(distiller, teacher, wanting, first.select(torch.arange(min(TRIED, len(first)))))


def _survey(term: Term, seen: Iterator[Seen]) -> None:
    assert isinstance(term.method, Surveys)
    try:
        term.method.survey(seen)
    except InputError:
        raise
    except (ValueError, RuntimeError, TypeError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"term '{term.name}' cannot survey these pages: {reason}") from error


def _seen(
    teacher: Teacher | Experts | None, pages: Iterable[Batch], device: torch.device, known: Known | None
) -> Iterator[Seen]:
    """Pages and what the teacher says of them; labels are counted among the `known` classes, as its answers are."""
    for batch in pages:
        here = batch.to(device)
        with torch.no_grad():
            view = NOBODY if teacher is None else teacher(here)
        yield here if known is None else known.batch(here), view


def _counted(seen: Iterator[Seen], done: int, count: int, progress: Progress | None) -> Iterator[Seen]:
    pages: set[str] = set()
    for batch, view in seen:
        yield batch, view
        pages.update(key.page for key in batch.keys)
        if progress is not None:
            progress(done + len(pages), count)
