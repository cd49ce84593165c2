"""Agreement: how far a student says what its teacher says, whatever is true.

Fidelity and divergence follow Stanton et al. 2021, arXiv:2106.05945; kappa is Cohen's (1960, "A coefficient
of agreement for nominal scales"), the agreement beyond what both would reach by calling classes as often as they do.
`wrong_together` is ours: what of the teacher's errors has passed on, class and all.

All take answers and counts [R, N] and give one value a draw, NaN where it has none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from distildoc.metrics.bootstrap import RESAMPLES, intervals
from distildoc.metrics.calibration import SMALLEST
from distildoc.metrics.outcomes import Floats, Outcomes, drawn_pages
from distildoc.schema import report


@dataclass(frozen=True, eq=False)
class Answers:
    """What student and teacher said of the same pages, over the same classes in the same order.

    Raises ValueError where pages, their true classes, or the number of classes differ.
    """

    student: Outcomes
    teacher: Outcomes

    def __post_init__(self) -> None:
        if not self.student.same_pages(self.teacher) or self.student.classes != self.teacher.classes:
            raise ValueError(
                f"student and teacher must answer the same pages over the same classes, got {len(self.student)} pages "
                f"of {self.student.classes} classes and {len(self.teacher)} of {self.teacher.classes}"
            )

    def __len__(self) -> int:
        return len(self.student)

    @cached_property
    def same(self) -> Floats:
        """1 where both predict the same class, else 0, [N]."""
        return np.equal(self.student.predicted, self.teacher.predicted).astype(np.float64)

    @cached_property
    def divergence(self) -> Floats:
        """KL(teacher || student) of every page in nats, [N]."""
        said = self.teacher.probabilities
        return np.asarray((said * (_log(said) - _log(self.student.probabilities))).sum(1))

    def same_pages(self, other: "Answers") -> bool:
        """Whether both are about the same true classes in the same order."""
        return self.student.same_pages(other.student)


def agreement(
    student: Outcomes, teacher: Outcomes, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, report.Score]:
    """Every score of AGREEMENT with its interval over pages; left out where it has no value.

    Raises ValueError where the two are not about the same pages and classes.
    """
    return intervals(Answers(student, teacher), AGREEMENT, seed=seed, resamples=resamples)


def fidelities(found: Answers, counts: Floats) -> Floats:
    """Share of pages on which both predict the same class, 0..1, of every draw [R]."""
    return _share(counts @ found.same, drawn_pages(counts))


def kappas(found: Answers, counts: Floats) -> Floats:
    """Cohen's kappa (p - e) / (1 - e) of every draw [R]: 1 for the same answers, 0 for as many as by chance.

    p is the fidelity, e the sum over classes of the product of both shares. No value where both give one class alone.
    """
    pages = drawn_pages(counts)
    classes = np.arange(found.student.classes)
    student, teacher = (counts @ (one.predicted[:, None] == classes) for one in (found.student, found.teacher))
    chance = (student * teacher).sum(1)
    return _share(pages * (counts @ found.same) - chance, pages**2 - chance)


def divergences(found: Answers, counts: Floats) -> Floats:
    """Mean of KL(teacher || student) in nats of every draw [R]; both are raised to 1e-12 before the logarithm."""
    return _share(counts @ found.divergence, drawn_pages(counts))


def wrong_togethers(found: Answers, counts: Floats) -> Floats:
    """Of the pages that the teacher gets wrong, the share on which the student says the same, 0..1, of every draw [R].

    No value where the teacher is always right.
    """
    wrong = 1 - found.teacher.hits
    return _share(counts @ (wrong * found.same), counts @ wrong)


AGREEMENT: Mapping[str, Callable[[Answers, Floats], Floats]] = {
    "fidelity": fidelities,
    "kappa": kappas,
    "kl": divergences,
    "wrong_together": wrong_togethers,
}


def _log(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.clip(probabilities, SMALLEST, 1.0)))


def _share(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
