"""Write docs/systems.md and what `distildoc methods` tells of costs and gains, from the result files.

    python docs/make_systems.py                (after a benchmark was run anew)

Reads benchmarks/results: method_cost.json; every result of a study with its `places` or `rows`, and the estimates in
POINTED, for what methods gained; and in systems/ the claims of published systems, each with what was found.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks" / "systems"))
from verdicts import LEVEL, WORDS, above

from distildoc.methods import METHODS
from distildoc.schema.writing import new_file

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MEASURED = ROOT / "src" / "distildoc" / "recipes" / "measured.json"
PAGE = ROOT / "docs" / "systems.md"
CONTROLS = ("reversed", "random")  # in the names of arms that stand against a method, not for it
AXES = {
    "accuracy": "accuracy",
    "map": "mAP",
    "attacked": "accuracy under attack (gradients may be hidden)",
}  # scores whose gains are told
LABELS = "labels alone"
HOLM, INTERVAL = "p < 0.05 after Holm's correction", "95 % interval above 0"
T_TEST = f"{INTERVAL}, t-test over seeds"
POINTED = (  # result, path of estimates by name of a method, points in 1, where, score, over what
    ("gradients", "compression/over_labels", 1, "five classes", "accuracy", LABELS),
    ("gradients", "width/over_labels", 1, "sixteen classes", "accuracy", LABELS),
    ("gradients", "incremental/over_labels", 1, "classes added", "accuracy", "fine-tuning"),
    ("kdiga", "gains", 1, "", "accuracy under PGD-20", "kd"),
    ("flow_harder", "gains", 100, "", "retrieval mAP", "pkt_auxiliary"),
    ("flow_tuned", "gains", 100, "", "retrieval mAP", "pkt_auxiliary"),
    ("flow_settled", "gains", 100, "", "retrieval mAP", "pkt_auxiliary"),
    ("lelp_four", "gains", 100, "four classes", "accuracy", LABELS),
    ("lelp_text", "gains", 100, "SST-2", "accuracy", LABELS),
    ("lelp_text_few", "gains", 100, "SST-2, few texts", "accuracy", LABELS),
)
PAGES = {  # of the study `beyond`
    "clean": "clean pages",
    "noise40": "40 % wrong labels",
    "noise60": "60 % wrong labels",
    "imbalance50": "classes 1 : 50",
}
TEACHERS = {
    "own": "teacher of the same labels",
    "clean": "teacher of clean labels and all pages",
    "stopped": "teacher of the same labels, stopped on validation pages",
}
KNOWING = (TEACHERS["clean"], "full-teacher")  # teachers that knew more than the students
LAYOUT_GAINS = {"gain": "mAP", "gain_map_post": "mAP of the regions shown"}
Gain = dict[str, Any]
SHOWN = 3  # estimates of a claim in the table
IN_POINTS = ("gradients",)  # results whose estimates are points, not shares


def measured() -> dict[str, Any]:
    """By method: its cost, the places where it was significantly better than a baseline, None where not tried, and in
    how many of the results it is in.
    """
    cost = read(RESULTS / "method_cost.json")["methods"]
    found = {path.stem: read(path) for path in sorted(RESULTS.rglob("*.json"))}
    if missing := {name for name, *_ in POINTED} - set(found):
        raise ValueError(f"POINTED names results that are not there: {sorted(missing)}")
    helped = {name: [*gains(name, result), *pointed(name, result)] for name, result in found.items()}
    tried = {name: methods_in(result) for name, result in found.items()}
    known = set().union(*tried.values())
    told: dict[str, Any] = {}
    for method in sorted({*cost, *known}):
        own = [[gain for one, gain in pairs if one == method] for pairs in helped.values()]
        count = sum(method in tried[name] and tells_gains(name, result) for name, result in found.items())
        told[method] = {
            "cost": costs(cost[method]) if method in cost else None,
            "helped": best([gain for found_there in own for gain in found_there]) if method in known else None,
            "results": {"tried": count, "helped": sum(map(bool, own))},
        }
    return told


def tells_gains(name: str, result: Mapping[str, Any]) -> bool:
    """Whether it is written in a result what methods gained, and not only how claims fared."""
    return bool({"rows", "places"} & set(result) or layout_arms(result) or name in {one for one, *_ in POINTED})


def best(found: list[Gain]) -> list[Gain]:
    """The largest gain of every place, the largest first, but last those of teachers that knew more than students."""
    places: dict[tuple[str, ...], Gain] = {}
    for one in sorted(found, key=lambda one: (any(name in one["where"] for name in KNOWING), -one["points"])):
        places.setdefault(tuple(one[key] for key in ("study", "where", "score", "over")), one)
    return list(places.values())


def methods_in(result: Mapping[str, Any]) -> set[str]:
    """The methods of the studies that a result was made from."""
    names = result.get("studies", [result["study"]] if "study" in result else [])
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in names if str(name).endswith(".yaml")]
    named = {name for text in texts for name in terms_in(yaml.safe_load(text))} | set(layout_arms(result))
    return {name for name in named if name in METHODS} - {"supervised"}


def layout_arms(result: Mapping[str, Any]) -> dict[str, Any]:
    """The distilled arms of a result of benchmarks/poleval.py, by name; those of one method have its name."""
    return {name: one for name, one in result.get("arms", {}).items() if "gain_f1" in one}


def terms_in(study: object) -> Iterator[str]:
    """What stands under `method`, however deep in a study file: names of methods, or of options of that axis."""
    if isinstance(study, dict):
        if isinstance(study.get("method"), str):
            yield study["method"]
        study = list(study.values())
    if isinstance(study, list):
        for one in study:
            yield from terms_in(one)


def pointed(name: str, result: Mapping[str, Any]) -> Iterator[tuple[str, Gain]]:
    """Method and gain of what POINTED names in a result, where it counts by the rule of the claims."""
    for own, path, scale, where, score, over in POINTED:
        if own != name:
            continue
        at: Any = result
        for key in path.split("/"):
            at = at[key]
        for method, gain in at.items():
            if above(gain) and method != "features":  # the unweighted control of gradient_features
                yield method, told_gain(name, where, score, over, scale * gain["value"], T_TEST)


def told_gain(study: str, where: str, score: str, over: str, points: float, shown_by: str) -> Gain:
    found = {"study": study, "where": where, "score": score, "over": over}
    return {**found, "points": round(points, 1), "shown_by": shown_by}


def costs(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "over": one["over"],
        "time": round(one["time"]["median"], 2),
        "memory": round(one["memory"], 2),
    }


def gains(name: str, result: Mapping[str, Any]) -> Iterator[tuple[str, Gain]]:
    """Method and gain for every significant gain over labels alone in a study's result."""
    for row in result.get("rows", []):
        where = f"{PAGES[row['pages']]}, {TEACHERS[row['teacher']]}"
        yield from significant(row["method"], row["gains"], name, where)
    for method, arm in layout_arms(result).items():
        for key, score in LAYOUT_GAINS.items():
            if arm[key]["low"] > 0 and method in METHODS:
                yield method, told_gain(name, "", score, LABELS, 100 * arm[key]["value"], INTERVAL)
    if "places" not in result:
        return
    study = yaml.safe_load((ROOT / result["study"]).read_text(encoding="utf-8"))
    methods = methods_of(study)
    for place in result["places"]:
        at = {axis: str(option) for axis, option in place.items() if axis in study["axes"]}
        found = {axis: methods[axis, option] for axis, option in at.items() if (axis, option) in methods}
        others = [option for axis, option in at.items() if axis not in found]
        for method in list(found.values())[:1]:
            yield from significant(method, place.get("gains", {}), study["name"], ", ".join(others))


def significant(method: str, found: Mapping[str, Any], study: str, where: str) -> Iterator[tuple[str, Gain]]:
    for score, words in AXES.items():
        gain = found.get(score)
        if gain is not None and gain["value"] > 0 and gain["p_holm"] < LEVEL:
            yield method, told_gain(study, where, words, LABELS, 100 * gain["value"], HOLM)


def methods_of(study: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The one method that an option of an axis brings, beside the labels; controls bring none."""
    found = {}
    for axis, options in study["axes"].items():
        for option, settings in options.items() if isinstance(options, dict) else ():
            terms = (settings or {}).get("terms", [])
            named = {term["method"] for term in terms} - {"supervised"}
            if len(named) == 1 and not any(word in str(option) for word in CONTROLS):
                found[axis, str(option)] = named.pop()
    return found


def page() -> str:
    """A table of claims, ours, verdict."""
    lines = [
        "# Published systems, and whether their claims hold here",
        "",
        "Made by `python docs/make_systems.py` from [the result files](../benchmarks/results/systems). Every claim was",
        "put to the test on small pages with small networks, on two cores; the page of a system says how, and what was",
        "tried where it fails. A claim that fails here may hold at the scale of its paper. A claim *holds* where the",
        "95 % intervals of all of its comparisons, of draws of pages and seeds, lie on its side of zero and a t-test",
        "over the seeds is significant as well (p < 0.05); *in part* means that some do and none lies against it. With",
        "three seeds the t-test is hard to pass: a claim that does not hold may only want more of them. Claims of",
        "another kind (that nothing differs, by how much at least, by a permutation) are judged as their page says.",
        "So are two results that have another rule: ces_kd, its first try, takes draws alone and corrects them for",
        "their number (Holm), and the gates of KDExplainer have the t-intervals of their seeds.",
        "Differences of scores that name no unit are shares, 0.01 being one point; those of entropies are nats.",
        "",
        "| system | claim | ours | |",
        "|---|---|---|---|",
    ]
    for path in sorted((RESULTS / "systems").glob("*.json")):
        for claim in read(path)["claims"]:
            verdict = WORDS[claim["holds"]]
            ours = told(claim["ours"], "+.1f" if path.stem in IN_POINTS else "+.3f")
            if not ours:
                raise ValueError(f"{path}: nothing to show of what was found for '{claim['claim']}'")
            unit = " (points)" if path.stem in IN_POINTS else ""
            lines.append(f"| [{path.stem}](systems/{path.stem}.md) | {claim['claim']} | {ours}{unit} | {verdict} |")
    return "\n".join([*lines, "", *times()]) + "\n"


def times() -> list[str]:
    """A table of what the studies behind each result took."""
    lines = [
        "Minutes that all runs of the studies behind a page trained, one after the other on one busy core, and the",
        "seeds of all its studies together: a claim is of the seeds of one of them, which its page tells.",
        "",
        "| system | minutes | seeds |",
        "|---|--:|--:|",
    ]
    for path in sorted((RESULTS / "systems").glob("*.json")):
        result = read(path)
        lines.append(f"| {path.stem} | {result['training_minutes']:.0f} | {len(result['seeds'])} |")
    return lines


def told(ours: object, form: str) -> str:
    """What was found, in a line: the first estimates with their intervals, or the words that are there."""
    if isinstance(ours, str):
        return ours
    found = ((name, [f"{one[key]:{form}}" for key in ("value", "low", "high")]) for name, one in estimates(ours))
    lines = [f"{name} {value} [{low}, {high}]" for name, (value, low, high) in found]
    if isinstance(ours, dict):
        lines += [
            f"{name}: {one['together']:.4g} together, {one['by_chance']:.4g} by chance, p {one['p']:.4f}"
            for name, one in ours.items()
            if isinstance(one, dict) and "together" in one
        ]
    return "; ".join(lines[:SHOWN]) + (f"; {len(lines) - SHOWN} more on its page" if len(lines) > SHOWN else "")


def estimates(ours: object, name: str = "") -> Iterator[tuple[str, Mapping[str, float]]]:
    """Name and record of everything with a value and an interval, however deep."""
    if isinstance(ours, list):  # differences of two named things
        pairs = [one for one in ours if isinstance(one, dict) and "to" in one]
        for one in pairs:
            yield f"{one['of']} - {one['to']}, {one.get('distance', 'D_F')}", {**one, "value": one["mean"]}
    if not isinstance(ours, dict):
        return
    if {"value", "low", "high"} <= set(ours):
        yield name, ours
        return
    for key, inner in ours.items():
        yield from estimates(inner, f"{name}, {key}" if name else key)


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def main() -> None:
    with new_file(MEASURED) as part:
        part.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    with new_file(PAGE) as part:
        part.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
