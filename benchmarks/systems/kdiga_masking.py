"""Whether a student only hides its gradients: PGD-20 of one start against attacks that hidden gradients do not stop.

Athalye et al. 2018 (arXiv:1802.00420) name the signs: more steps and restarts find much more, an attack on another
network harms more than one on the student itself, a single step more than many.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kdiga import MASKED, hits, transferred
from kdiga_certified import Hits, estimate, told
from verdicts import at_least, verdict

from distildoc.core.batch import Batch
from distildoc.evaluate.attacks import Attack, withstood
from distildoc.study.results import Entry

STEPS, RESTARTS = 100, 5
Arms = Mapping[str, list[Entry]]


def masking(
    arms: Arms, arm: str, attacked: Mapping[str, Hits], pages: Sequence[Batch], attack: Attack
) -> dict[str, dict[str, Any]]:
    """What an arm withstands of each attack, and how that is from `attacked`, its hits under the plain `attack`.

    Beside it, what is left of its gain over KD under the longest attack.
    """

    def under(name: str, moved: Attack) -> Hits:
        return hits(arms[name], lambda model, some: withstood(model, some, moved), pages)

    longest = Attack(f"pgd-{STEPS}", attack.epsilon, STEPS, restarts=RESTARTS)
    deep = {name: under(name, longest) for name in (arm, "kd")}
    found = {
        "longest": deep[arm],
        "next seed": transferred(arms[arm], arms[arm], pages, attack),
        "teacher": transferred(arms[arm], arms["robust"], pages, attack),
        "single step": under(arm, Attack("fgsm", attack.epsilon, 0)),
    }
    return {
        "accuracy": {name: estimate(own) for name, own in found.items()},
        f"to {attack.name}": {name: estimate(own, attacked[arm]) for name, own in found.items()},
        "longest gain over kd": estimate(deep[arm], deep["kd"]),
    }


def masking_claim(found: Mapping[str, Any]) -> dict[str, Any]:
    """Two points may be lost to the longest attack; all others have to leave more than PGD-20 does."""
    to = found["to pgd-20"]
    others = {name: to[name] for name in ("next seed", "teacher", "single step")}
    return {
        "claim": "The gain is no gradient masking: longer attacks find no more, a single step and attacks on nearer "
        "networks less than PGD-20 (second try)",
        "ours": f"points to PGD-20: PGD-{STEPS} of {RESTARTS} starts {told(to['longest'])}, transfer from the next "
        f"seed's student {told(to['next seed'])}, from the robust teacher {told(to['teacher'])}, single step "
        f"{told(to['single step'])}; under the longest attack {told(found['longest gain over kd'])} points to KD",
        "holds": verdict(at_least(to["longest"], MASKED), *others.values()),
        "tried": f"at most {MASKED:g} points lost to the longest attack, the others weaker for sure; first PGD-{STEPS} "
        "of one start without an interval, and transfer from students of labels alone, which showed nothing; seeds "
        "that all lose the same to the longest attack leave a t-test nothing to say, and the claim in part",
    }


def masking_lines(found: Mapping[str, Any]) -> list[str]:
    """A table of the attacks, a line each."""
    names = {
        "longest": f"PGD-{STEPS} of {RESTARTS} starts",
        "next seed": "PGD-20 on the student of the next seed",
        "teacher": "PGD-20 on the robust teacher",
        "single step": "FGSM",
    }
    lines = ["| attack on kdiga | accuracy | to PGD-20 of one start |", "|---|--:|--:|"]
    rows = ((title, found["accuracy"][name], found["to pgd-20"][name]) for name, title in names.items())
    return [*lines, *(f"| {title} | {told(own)} | {told(apart)} |" for title, own, apart in rows)]
