"""Write docs/systems.md and what `distildoc methods` tells of costs and gains, from the result files.

    python docs/make_systems.py                (after a benchmark was run anew)

Reads benchmarks/results: method_cost.json; every result of a study with its `places` or `rows`, and the estimates in
POINTED, for what methods gained; and in systems/ the claims of published systems, each with what was found.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from distildoc.methods import METHODS
from distildoc.schema.writing import new_file

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MEASURED = ROOT / "src" / "distildoc" / "recipes" / "measured.json"
PAGE = ROOT / "docs" / "systems.md"
LEVEL = 0.05  # of a gain that is told, after Holm's correction
CONTROLS = ("reversed", "random")  # in the names of arms that stand against a method, not for it
AXES = {"accuracy": "", "map": "", "attacked": ", under attack"}  # scores of a study whose gains are told
POINTED = (  # result, path of estimates by name of a method, points in 1, where and over what
    ("gradients", "compression/over_labels", 1, "five classes, over labels alone"),
    ("gradients", "width/over_labels", 1, "sixteen classes, over labels alone"),
    ("gradients", "incremental/over_labels", 1, "classes added, over fine-tuning"),
    ("kdiga", "gains", 1, "PGD-20, over kd"),
    ("lelp_text", "gains", 100, "SST-2, over labels alone"),
)
SHOWN = 3  # estimates of a claim in the table
VERDICTS = {True: "holds", False: "does not hold", "partly": "holds in part"}


def measured() -> dict[str, Any]:
    """By method: its cost, and the places where it was significantly better than a baseline; None where not tried."""
    cost = read(RESULTS / "method_cost.json")["methods"]
    found = {path: read(path) for path in sorted(RESULTS.rglob("*.json"))}
    helped: dict[str, list[dict[str, object]]] = {}
    for method, gain in (*(one for result in found.values() for one in gains(result)), *pointed()):
        helped.setdefault(method, []).append(gain)
    tried = {method for result in found.values() for method in methods_in(result)}
    return {
        name: {
            "cost": costs(cost[name]) if name in cost else None,
            "helped": best(helped.get(name, [])) if name in tried else None,
        }
        for name in sorted({*cost, *helped, *tried})
    }


def best(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The largest gain of every place."""
    places: dict[str, dict[str, Any]] = {}
    for one in found:
        if one["points"] > places.get(one["where"], {"points": 0})["points"]:
            places[one["where"]] = one
    return list(places.values())


def methods_in(result: Mapping[str, Any]) -> set[str]:
    """The methods of the studies that a result was made from."""
    names = result.get("studies", [result["study"]] if "study" in result else [])
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in names if str(name).endswith(".yaml")]
    return {name for text in texts for name in terms_in(yaml.safe_load(text)) if name in METHODS} - {"supervised"}


def terms_in(study: object) -> Iterator[str]:
    """What stands under `method`, however deep in a study file: names of methods, or of options of that axis."""
    if isinstance(study, dict):
        if isinstance(study.get("method"), str):
            yield study["method"]
        study = list(study.values())
    if isinstance(study, list):
        for one in study:
            yield from terms_in(one)


def pointed() -> Iterator[tuple[str, dict[str, object]]]:
    """Method, place and points of every gain in POINTED whose interval lies above 0."""
    for name, path, scale, where in POINTED:
        at: Any = read(RESULTS / "systems" / f"{name}.json")
        for key in path.split("/"):
            at = at[key]
        for method, gain in at.items():
            if gain["low"] > 0 and method != "features":  # the unweighted control of gradient_features
                yield method, {"where": where, "points": round(scale * gain["value"], 1)}


def costs(one: Mapping[str, Any]) -> dict[str, float]:
    return {"time": round(one["time"]["median"], 2), "memory": round(one["memory"], 2)}


def gains(result: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, object]]]:
    """Method, place and points of every significant gain over labels alone in a study's result."""
    for row in result.get("rows", []):
        at = f"{row['pages']} pages, {row['teacher']} teacher"
        yield from significant(row["method"], row["gains"], at)
    if "places" not in result:
        return
    study = yaml.safe_load((ROOT / result["study"]).read_text(encoding="utf-8"))
    methods = methods_of(study)
    for place in result["places"]:
        at = {axis: str(option) for axis, option in place.items() if axis in study["axes"]}
        found = {axis: methods[axis, option] for axis, option in at.items() if (axis, option) in methods}
        others = [option for axis, option in at.items() if axis not in found]
        for method in list(found.values())[:1]:
            yield from significant(method, place.get("gains", {}), ", ".join([study["name"], *others]))


def significant(method: str, found: Mapping[str, Any], at: str) -> Iterator[tuple[str, dict[str, object]]]:
    for score, axis in AXES.items():
        gain = found.get(score)
        if gain is not None and gain["value"] > 0 and gain["p_holm"] < LEVEL:
            yield method, {"where": f"{at}{axis}, over labels alone", "points": round(100 * gain["value"], 1)}


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
        "95 % intervals of all of its comparisons lie on its side of zero and, where the page of the system gives a",
        "t-test over seeds, that is significant as well; *in part* means that some do and none lies against it.",
        "",
        "| system | claim | ours | |",
        "|---|---|---|---|",
    ]
    for path in sorted((RESULTS / "systems").glob("*.json")):
        for claim in read(path)["claims"]:
            verdict = VERDICTS[claim["holds"]]
            if not told(claim["ours"]):
                raise ValueError(f"{path}: nothing to show of what was found for '{claim['claim']}'")
            lines.append(
                f"| [{path.stem}](systems/{path.stem}.md) | {claim['claim']} | {told(claim['ours'])} | {verdict} |"
            )
    return "\n".join(lines) + "\n"


def told(ours: object) -> str:
    """What was found, in a line: the first estimates with their intervals, or the words that are there."""
    if isinstance(ours, str):
        return ours
    lines = [f"{name} {one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]" for name, one in estimates(ours)]
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
