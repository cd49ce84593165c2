"""Check, before the first step, that the parts of a distillation fit each other."""

from collections.abc import Sequence

import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Needs, Surveys, Term
from distildoc.core.model import evaluating
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.data.augment import Augmentation
from distildoc.schema.errors import ConfigError
from distildoc.schema.labels import align
from distildoc.teach.distiller import NOBODY, Distiller
from distildoc.teach.ensemble import Experts

START = Clock(0, 1, 0.0)


def check_terms(
    distiller: Distiller,
    teacher: Teacher | Experts | None,
    *,
    augmentation: Augmentation | None = None,
    accumulate: int = 1,
    sample: Batch | None = None,
) -> None:
    """Raises ConfigError with the term, the reason and the way out; changes nothing.

    augmentation  of the training pages.
    accumulate    batches an optimiser step.
    sample        some training pages; with them every method is run once, so that shapes are known to fit. One that
                  `Surveys` the pages first is left to `survey`.
    """
    for term in distiller.terms:
        _check_needs(term, teacher, accumulate)
        _check_batch(term, distiller, sample)
    if teacher is not None:
        if not teacher.live:
            check_cacheable(distiller.terms, augmentation)
        if any(term.method.needs.reads_outputs for term in distiller.terms):
            _check_labels(distiller, teacher)
    if sample is not None:
        try_terms(distiller, teacher, [t for t in distiller.terms if not isinstance(t.method, Surveys)], sample)


def check_cacheable(terms: Sequence[Term], augmentation: Augmentation | None) -> None:
    """Raises ConfigError where a cache cannot answer for the teacher, whether it is written yet or not."""
    for term in terms:
        if term.method.needs.live_teacher:
            raise ConfigError(
                f"term '{term.name}' runs the teacher again at every step, which a cache cannot answer; drop the "
                "teacher's `cache`"
            )
    if augmentation is not None and augmentation.views is None:
        raise ConfigError(
            "a cached teacher cannot follow unbounded augmentation; set `augmentation.views` to the number of "
            "views that are cached, or drop the teacher's `cache`"
        )


def teacher_taps(terms: Sequence[Term]) -> tuple[str, ...]:
    """Features that a teacher must give these terms."""
    return tuple(sorted({tap for term in terms for tap in term.method.needs.teacher_taps}))


def _check_needs(term: Term, teacher: Teacher | Experts | None, accumulate: int) -> None:
    needs = term.method.needs
    if needs.couples_batch and accumulate > 1:
        raise ConfigError(
            f"term '{term.name}' compares the pages of a batch, so `train.accumulate` = {accumulate} would change its "
            "meaning; set it to 1 and lower `train.batch`"
        )
    if not needs.teacher:
        return
    if teacher is None:
        raise ConfigError(f"term '{term.name}' learns from a teacher, and there is none; name one under `teacher.runs`")
    _check_views(term.name, needs, teacher)


def _check_batch(term: Term, distiller: Distiller, sample: Batch | None) -> None:
    needs = term.method.needs
    if needs.every_class and distiller.known is not None:
        raise ConfigError(
            f"term '{term.name}' wants a teacher that knows all classes of the student; choose another method, or drop "
            "`teacher.labels.missing: ignore`"
        )
    if sample is None:
        return
    if needs.couples_batch and len(sample) < 2:
        raise ConfigError(
            f"term '{term.name}' compares the pages of a batch, and batches hold one; raise `train.batch`"
        )
    pixels = needs.live_teacher or needs.input_gradients or needs.own_pixels
    if pixels and not sample.inputs.is_floating_point():
        raise ConfigError(f"term '{term.name}' moves or hides pixels, and this run reads texts; choose another method")


def _check_views(name: str, needs: Needs, teacher: Teacher | Experts) -> None:
    count = len(teacher.members) if isinstance(teacher, Experts) else 1
    if needs.experts != count and needs.experts == 1:
        raise ConfigError(
            f"term '{name}' learns from one teacher, and the run keeps {count} apart; drop `teacher.experts` to have "
            "their average, or name one under `teacher.runs`"
        )
    if needs.experts != count:
        raise ConfigError(
            f"term '{name}' wants {needs.experts} teachers as experts, and the run has {count}; name as many under "
            "`teacher.runs` and set `teacher.experts: true`"
        )
    lacking = [tap for tap in needs.teacher_taps if tap not in teacher.features]
    if lacking and not teacher.live:
        raise ConfigError(
            f"term '{name}' needs the teacher's features {lacking}, and the cache holds "
            f"{list(teacher.features) or 'none'}; cache again with these terms, or drop the teacher's `cache`"
        )
    if lacking:
        raise ConfigError(
            f"term '{name}' needs the features {lacking} of one teacher, and this one gives "
            f"{list(teacher.features) or 'none'}; name a single teacher"
        )


def _check_labels(distiller: Distiller, teacher: Teacher | Experts) -> None:
    student = distiller.student.labels
    wanted = student if distiller.known is None else distiller.known.labels(student)
    if teacher.labels == wanted:
        return
    align(teacher.labels, wanted)  # says which classes are missing where
    raise ConfigError(
        "teacher and student have the same classes in another order; wrap the teacher in `Aligned(teacher, labels)`"
    )


def try_terms(distiller: Distiller, teacher: Teacher | Experts | None, terms: Sequence[Term], sample: Batch) -> None:
    """One forward of some terms, in evaluation mode, leaving statistics and random numbers as they were."""
    sample = sample.to(next(distiller.parameters()).device)
    with evaluating(distiller), torch.random.fork_rng():
        views = NOBODY if teacher is None else teacher(sample)
        sample, student = distiller.look(sample, views, START)
        for term in terms:
            _call(distiller, term, student, views, sample=sample)


def _call(distiller: Distiller, term: Term, student: View, teacher: View | Sequence[View], *, sample: Batch) -> None:
    try:
        losses = distiller.compare(term, student, teacher, sample, clock=START)
    except (ValueError, RuntimeError, TypeError, KeyError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"term '{term.name}' does not fit these models and pages: {reason}") from error
    for name, loss in losses.items():
        if loss.ndim:
            raise ConfigError(
                f"term '{term.name}': its loss '{name}' has shape {tuple(loss.shape)}; a method takes the mean itself"
            )
