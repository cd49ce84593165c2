"""'A closer look at KD with features, logits and gradients' (arXiv:2203.10163), the second try of two of its claims.

    distildoc study run studies/systems/gradients_more.yaml -o runs/systems/gradients_more
    python benchmarks/systems/gradients_more.py runs/systems/gradients_more              (30 seconds)

The weight of every source was searched on validation pages by the study; of its two kinds (KL and L2 of logits;
features of the last layer and of a deeper one) that with the higher mean accuracy on the validation pages is compared,
at every width. Differences are paired by seed and page (paired.py). Writes docs/systems/gradients_more.md and
benchmarks/results/systems/gradients_more.json.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import paired
from gradients import ordered
from verdicts import verdict

from distildoc.schema.json_files import read_json
from distildoc.study.results import Results

STUDY = "studies/systems/gradients_more.yaml"
SOURCES = {
    "logits": ("kd", "logit_mse"),
    "weighted": ("gradient_last", "gradient_deep"),
    "plain": ("plain_last", "plain_deep"),
}
NAMES = {
    "supervised": "labels alone",
    "kd": "KL of logits, T 4",
    "logit_mse": "L2 of logits",
    "gradient_last": "weighted features, last layer",
    "gradient_deep": "weighted features, second stage",
    "plain_last": "plain features, last layer",
    "plain_deep": "plain features, second stage",
}
WEIGHT = "terms.1.weight"
TRIED = (
    "the first try (gradients.yaml, gradients_width.yaml: weight 1 for every source, the last layer alone); here "
    "weights 0.01, 0.1, 1 and 10 for every source at every width, chosen on validation pages, two layers of features, "
    "fewer pages and a teacher of smoothed labels"
)
Found = Mapping[str, np.ndarray]  # arm -> accuracies of a width, [S, 1 + R]


def claims(found: Mapping[str, Found], best: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The ranking over the mean of the widths, and what the deficit of plain features loses from narrow to wide."""
    widths = list(found)

    def of(source: str, width: str) -> np.ndarray:
        return found[width][best[width][source]]

    def mean(source: str) -> np.ndarray:
        return np.mean([of(source, width) for width in widths], 0)

    narrow, wide = (of("logits", width) - found[width]["plain_last"] for width in (widths[0], widths[-1]))
    ranking = {
        "logits - weighted": paired.difference(mean("logits"), mean("weighted")),
        "weighted - plain": paired.difference(mean("weighted"), mean("plain")),
    }
    change = {f"deficit at {widths[0]} - at {widths[-1]}": paired.difference(narrow, wide)}
    asked = {
        "Logits are the best source, then features weighted by gradients, then plain features": ranking,
        "Plain features need a wide enough student: their deficit to logits shrinks as it grows": change,
    }
    return [
        {"claim": f"{claim} (second try)", "ours": ours, "holds": verdict(*ours.values()), "tried": TRIED}
        for claim, ours in asked.items()
    ]


def by_width(found: Found, best: Mapping[str, str]) -> dict[str, Any]:
    """Differences at one width, which are shown beside the claims."""
    logits, weighted, plain = (found[best[source]] for source in SOURCES)
    return {
        "logits - weighted": paired.difference(logits, weighted),
        "weighted - plain": paired.difference(weighted, plain),
        "logits - plain, last layer": paired.difference(logits, found["plain_last"]),
        "logits - labels": paired.difference(logits, found["supervised"]),
        "weighted - labels": paired.difference(weighted, found["supervised"]),
        "plain - labels": paired.difference(plain, found["supervised"]),
    }


def searched(results: Results) -> dict[str, dict[str, Any]]:
    """Of every place, `WIDTH-METHOD`, the weight found, and the accuracy on the validation pages by weight."""
    files: list[Any] = [read_json(path) for path in sorted(results.folder.glob("searches/*.json"))]
    found = {}
    for one in files:
        scores = sorted({trial["settings"][WEIGHT]: trial["score"] for trial in one["trials"]}.items())
        by_weight = {f"{weight:g}": round(score, 4) for weight, score in scores}
        found[str(one["name"])] = {"found": f"{one['best'][WEIGHT]:g}", "by_weight": by_weight}
    return found


def facts_of(results: Results) -> dict[str, Any]:
    arms = {width: paired.arms_of(results, width=width) for width in results.axes["width"]}
    like = paired.tables_of(next(iter(arms.values()))["supervised"])[0]
    found = {
        width: {name: paired.accuracy(paired.tables_of(cells), like) for name, cells in own.items()}
        for width, own in arms.items()
    }
    best = {w: {source: paired.best_of(own, kinds) for source, kinds in SOURCES.items()} for w, own in arms.items()}
    teacher = results.before[0].report()
    assert teacher is not None
    return {
        "study": STUDY,
        "test_pages": len(like),
        "claims": claims(found, best),
        "teacher": round(teacher.scores["accuracy"].value, 4),
        "searched": searched(results),
        "chosen": best,
        "validation_accuracy": {
            width: {name: round(paired.validated(cells), 4) for name, cells in own.items()}
            for width, own in arms.items()
        },
        "test_accuracy": {w: {name: paired.estimate(v) for name, v in own.items()} for w, own in found.items()},
        "by_width": {width: by_width(own, best[width]) for width, own in found.items()},
        "places": paired.gains_of(results, ("plain",)),
    }


def width_lines(facts: Mapping[str, Any], width: str) -> list[str]:
    """The arms at one width, with the weights that were tried."""
    lines = [f"## {width.replace('-', ' ').capitalize()}", ""]
    lines += ["| source | validation % by weight, search | validation % | test % [95 %] | compared |"]
    lines += ["|---|---|--:|--:|---|"]
    chosen = set(facts["chosen"][width].values())
    for name, title in NAMES.items():
        weights = weights_told(facts["searched"].get(f"{width}-{name}"))
        validated = f"{100 * facts['validation_accuracy'][width][name]:.1f}"
        test = paired.percent(facts["test_accuracy"][width][name])
        lines.append(f"| {title} | {weights} | {validated} | {test} | {'yes' if name in chosen else ''} |")
    lines += ["", "| difference | points [95 %] | seeds ahead | p (t-test) |", "|---|--:|--:|--:|"]
    for what, one in facts["by_width"][width].items():
        ahead = f"{one['seeds_ahead']} of {one['of']}"
        lines.append(f"| {what} | {paired.percent(one)} | {ahead} | {one['p_t_test']:.3f} |")
    return [*lines, ""]


def weights_told(search: Mapping[str, Any] | None) -> str:
    """Accuracy on the validation pages by weight, the one found in bold."""
    if search is None:
        return ""
    told = {weight: f"{weight}: {100 * score:.1f}" for weight, score in search["by_weight"].items()}
    return ", ".join(f"**{one}**" if weight == search["found"] else one for weight, one in told.items())


def mean_order(by_width: Mapping[str, Mapping[str, Any]]) -> str:
    names = {"logits": "logits", "weighted": "weighted features", "plain": "plain features"}
    over = {name: [own[f"{at} - labels"]["value"] for own in by_width.values()] for at, name in names.items()}
    return ordered({name: 100 * float(np.mean(values)) for name, values in over.items()})


def page(facts: Mapping[str, Any]) -> str:
    """docs/systems/gradients_more.md, all of it from the result file."""
    lines = ["# Features, logits and gradients, the second try", "", *INTRODUCTION.strip().splitlines(), ""]
    lines += [
        f"Teacher: {100 * facts['teacher']:.1f} % on the test pages. {facts['test_pages']:,} test pages, "
        f"{len(facts['seeds'])} seeds; all runs trained for {facts['training_minutes']:.0f} minutes, those of the "
        "search among them.",
        "",
        *paired.claim_lines(facts["claims"]),
        "",
        "The claim is one of order, logits >= weighted >= plain features; the verdict wants > beyond doubt. By the",
        f"means of both widths alone, in points to labels alone: {mean_order(facts['by_width'])}.",
        "",
    ]
    for width in facts["by_width"]:
        lines += width_lines(facts, width)
    return "\n".join([*lines, f"Tried: {TRIED}.", "", *READING.strip().splitlines(), ""])


INTRODUCTION = """
Made by `python benchmarks/systems/gradients_more.py` from
[the result file](../../benchmarks/results/systems/gradients_more.json); the study is
[studies/systems/gradients_more.yaml](../../studies/systems/gradients_more.yaml). The claims, the methods and the first
try are on [the page of features, logits and gradients](gradients.md).

In the first try every source had weight 1, which with sixteen classes left logits and weighted features far below
labels alone, and features were compared at the last layer only. Here are generated pages of sixteen classes at 32 x 32
pixels, of which the students see 30 a class and the teacher all. Each of two kinds of a source has the weight, of four,
that is best on the validation pages for two seeds of the search (bold); the better kind on the validation pages, over
the seeds of the study, is compared. A width is that of the student's embedding; the second stage has 16 channels at
both widths, so that the claim about widths is tested at the last layer.
"""
READING = """
At weights of their own, logits and weighted features are no longer below labels alone, and at width 64 every source is
above them. Weighted features are ahead of plain ones in all seeds, most at width 4, and the deficit of plain features
shrinks from there to width 64 in all seeds but one: both as the paper says, and neither beyond doubt, since a t-test of
six seeds does not tell them from none. Logits are not ahead of weighted features: at width 4 they take the smallest
weight of the grid and are level with labels alone. More seeds would be the next thing to try. Some of the weights lie
at the edges of the grid, so better ones may lie beyond; weights, layers, pages and teacher changed together, so that
none of them can be said to be the reason for the difference to the first try.
"""


if __name__ == "__main__":
    paired.main(__doc__, "gradients_more", facts_of, page)
