"""What KDIGA's students are worth, page by page, and the shares of pages certified by randomised smoothing.

Intervals (95 %) are over draws of pages and of seeds, paired in both, in points.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from verdicts import at_least, t_test, verdict

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.evaluate.smoothing import Certified, Smoothing, certify
from distildoc.models.load import load_model
from distildoc.recipes.folder import RunFolder
from distildoc.study.results import Entry

DRAWS = 4000
CLEAN = 3.0  # points within which an accuracy is not lost
Hits = np.ndarray  # [seeds, pages] of 0 and 1


def model_of(entry: Entry) -> Model:
    return load_model(RunFolder(entry.folder).model)


def estimate(hits: Hits, less: Hits | None = None) -> dict[str, Any]:
    """Mean in points with its interval; of the difference where `less` is given, with that of every seed."""
    values = 100 * (hits if less is None else hits - less)
    draw = np.random.default_rng(0)
    seeds, pages = values.shape
    means = []
    for _ in range(DRAWS):
        rows, columns = draw.integers(seeds, size=seeds), draw.integers(pages, size=pages)
        means.append(values[np.ix_(rows, columns)].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    found = {"mean": round(float(values.mean()), 1), "low": round(float(low), 1), "high": round(float(high), 1)}
    if less is None:
        return found
    each = values.mean(1)
    return {**found, "p_t_test": t_test(each), "seeds": [round(float(one), 2) for one in each]}


def certified(
    arms: Mapping[str, list[Entry]], names: Sequence[str], pages: Sequence[Batch], smoothing: Smoothing
) -> dict[str, list[Certified]]:
    """Winners and radii of every page, by arm, one a seed."""
    return {name: [certify(model_of(entry), pages, smoothing) for entry in arms[name]] for name in names}


def compared(
    found: Mapping[str, Sequence[Certified]], arm: str, radii: Sequence[float], *, kd: str = "kd"
) -> dict[str, dict[str, dict[str, Any]]]:
    """By L2 radius: shares of pages certified, those of an arm less those of KD and of the robust teacher."""
    return {
        words: {f"{radius:g}": estimate(within(found[arm], radius), within(found[other], radius)) for radius in radii}
        for words, other in (("to kd", kd), ("to the teacher", "robust"))
    }


def shares_of(found: Mapping[str, Sequence[Certified]], radii: Sequence[float]) -> dict[str, dict[str, Any]]:
    """By arm and L2 radius."""
    return {name: {f"{radius:g}": estimate(within(own, radius)) for radius in radii} for name, own in found.items()}


def within(found: Sequence[Certified], radius: float) -> Hits:
    return np.stack([one.within(radius).numpy() for one in found]).astype(float)


def certified_claims(
    found: Mapping[str, Mapping[str, Any]], tried: str, again: str = "", *, kd: str = "KD"
) -> list[dict[str, Any]]:
    """`found` as `compared` gives it; `again` stands behind the claims, `kd` for what the first is held against."""
    to_kd, to_teacher = found["to kd"], found["to the teacher"]
    return [
        {
            "claim": f"The student's certified accuracy is above that of {kd}{again}",
            "ours": f"points to {kd}: {listed(to_kd)}",
            "holds": verdict(*to_kd.values()),
            "tried": tried,
        },
        {
            "claim": f"The student is certified as robust as its teacher{again}",
            "ours": f"points to the teacher: {listed(to_teacher)}",
            "holds": verdict(*(at_least(one, CLEAN) for one in to_teacher.values())),
            "tried": f"{tried}; at most {CLEAN:g} points less would do; the teacher has one seed",
        },
    ]


def certified_lines(shares: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of the shares of pages that are certified, a line an arm."""
    radii = list(next(iter(shares.values())))
    lines = [f"| certified, percent | {' | '.join(f'within {one}' for one in radii)} |", f"|---|{'--:|' * len(radii)}"]
    return [*lines, *(f"| {name} | {' | '.join(told(own[r]) for r in radii)} |" for name, own in shares.items())]


def told(one: Mapping[str, float]) -> str:
    return f"{one['mean']:.1f} [{one['low']:.1f}, {one['high']:.1f}]"


def listed(found: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{told(one)} within {radius}" for radius, one in found.items())
