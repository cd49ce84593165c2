"""Whether denoising brings held-out features nearer to the teacher's: two claims, and what the pages of DiffKD show.

Squared errors and cosines are of every test page and every seed (diffkd_features.py); their differences are paired over
both. Nearer than adapters alone is judged against an adapter of the predictor's layers and size (diffkd_adapter.py): on
the features of DiffKD's student, and on those of plain MSE's. Every run has an auto-encoder and so a code of its own;
plain MSE's features are brought to theirs and to that of the DiffKD run of the same seed.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import paired
from diffkd_adapter import NAME, adapted
from diffkd_features import Floats, Trained, denoising
from verdicts import WORDS, verdict

SHARE = "share kept"
Stages = Mapping[str, Floats]  # of one arm: errors and cosines by name, [S, P]


def features_of(arms: paired.Arms, names: Sequence[str], *, ours: str, plain: Sequence[str]) -> dict[str, Any]:
    """What a result file says of the features of some arms; the claims are of `ours` against the `plain` ones."""
    runs = {name: [Trained(cell.folder) for cell in arms[name]] for name in names}
    stages = {name: stacked([denoising(run) | adapted(run, run) for run in own]) for name, own in runs.items()}
    others = {"on its own features": stages[ours]}
    for name in plain:
        others[f"on those of {name}, to their code"] = stages[name]
        pairs = zip(runs[name], runs[ours], strict=True)
        others[f"on those of {name}, to the same code"] = stacked([adapted(run, like) for run, like in pairs])
    error, name = stages[ours]["ready: error"], f"{NAME}: error"
    return {
        "of": ours,
        "stages": {arm: {what: estimate(values) for what, values in found.items()} for arm, found in stages.items()},
        "adapters": {what: estimate(found[name]) for what, found in others.items()},
        "nearer": {what: tested(found[name] - error) for what, found in others.items()},
        "rises": {
            where: [tested(after - before) for before, after in itertools.pairwise(cosines)]
            for where, cosines in paths(stages[ours])
        },
    }


def stacked(runs: Sequence[Mapping[str, Floats]]) -> Stages:
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}


def estimate(values: Floats) -> dict[str, Any]:
    """Mean of [S, P] values over pages and seeds, with the interval of draws of both."""
    return paired.estimate(drawn(values))


def tested(values: Floats) -> dict[str, Any]:
    """The estimate of paired differences [S, P], and two tests of it against 0."""
    return paired.tested(drawn(values))


def drawn(values: Floats) -> Floats:
    """Means over the pages, as they are and in every draw of pages, [S, 1 + R]."""
    return np.concatenate([values.mean(1)[:, None], values @ draws(values.shape[1]).T], 1)


@cache
def draws(pages: int) -> Floats:
    """The share of every page in every draw, [R, P]."""
    counts = np.random.default_rng(0).multinomial(pages, np.full(pages, 1 / pages), size=paired.DRAWS)
    return counts / pages


def paths(stages: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Cosines from the student's code before any step to the last one, before r and behind it."""
    steps = [name for name in stages if name.startswith("step ") and name.endswith(": cosine")]
    before = ["entered: cosine", *steps]
    behind = [*(f"r of {name}" for name in before[:-1]), "ready: cosine"]
    for where, names in (("before r", before), ("behind r", behind)):
        yield where, [stages[name] for name in names]


def claims(features: Mapping[str, Any], *, tried: str, again: str = "") -> list[dict[str, Any]]:
    """The two claims in words; `again` ends their names where they are tried another time."""
    stages, near, rises = features["stages"][features["of"]], features["nearer"], features["rises"]
    further = (f"{what} {features['adapters'][what]['value']:.3f}, {ranged(one)}" for what, one in near.items())
    steps = (
        f"{where} {cosines[0]['value']:.3f} on entry, then {', '.join(map(ranged, rises[where]))}"
        for where, cosines in paths(stages)
    )
    error = f"squared error on the map {stages['ready: error']['value']:.3f}"
    return [
        {
            "claim": "Denoised features of held-out pages are nearer to the teacher's than adapters alone bring them"
            + again,
            "ours": f"{error}; with an adapter of equal size {'; '.join(further)}",
            "holds": verdict(*near.values()),
            "tried": tried,
        },
        {
            "claim": f"Cosine to the teacher rises with every step of denoising{again}",
            "ours": "; ".join(steps),
            "holds": verdict(*(one for each in rises.values() for one in each)),
            "tried": tried,
        },
    ]


def lines_of(claims: Sequence[Mapping[str, Any]], features: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """The claims on features, the stages of some arms by their titles, and the shares that are kept."""
    arms = {title: features["stages"][name] for name, title in names.items()}
    rows = [what.removesuffix(": error") for what in features["stages"][features["of"]] if what.endswith(": error")]
    return [
        "| claim | on the test pages [95 %] | verdict |",
        "|---|---|---|",
        *(f"| {one['claim']} | {one['ours']} | {WORDS[one['holds']]} |" for one in claims),
        "",
        "| squared error, cosine | " + " | ".join(arms) + " |",
        "|---|" + "--:|" * len(arms),
        *(f"| {row} | " + " | ".join(at_stage(found, row) for found in arms.values()) + " |" for row in rows),
        "",
        share_line({title: found[SHARE] for title, found in arms.items() if SHARE in found}),
    ]


def share_line(shares: Mapping[str, Mapping[str, float]]) -> str:
    told = (f"{title} {one['value']:.3f}" for title, one in shares.items())
    return f"Share of the student's code that the noise adapter keeps, the rest being noise: {', '.join(told)}."


def at_stage(found: Mapping[str, Any], row: str) -> str:
    """Error and cosine, which an arm without denoising may not have."""
    if f"{row}: error" not in found:
        return "–"
    return f"{found[f'{row}: error']['value']:.3f}, {found[f'{row}: cosine']['value']:.3f}"


def ranged(one: Mapping[str, float]) -> str:
    return f"{one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
