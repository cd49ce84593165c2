"""Write docs/systems.md and what `distildoc methods` tells of costs and gains, from the result files.

    python docs/make_systems.py                (after a benchmark was run anew)

Reads benchmarks/results: method_cost.json; every result of a study with its `places`; and in systems/ the claims of
published systems, each with what was found.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from distildoc.schema.writing import new_file

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MEASURED = ROOT / "src" / "distildoc" / "recipes" / "measured.json"
PAGE = ROOT / "docs" / "systems.md"
LEVEL = 0.05  # of a gain that is told, after Holm's correction
SHOWN = 3  # estimates of a claim in the table
VERDICTS = {True: "holds", False: "does not hold", "partly": "holds in part"}


def measured() -> dict[str, Any]:
    """By method: its cost, and the places where it was significantly better than the baseline in accuracy or mAP."""
    cost = read(RESULTS / "method_cost.json")["methods"]
    helped: dict[str, list[dict[str, object]]] = {}
    for path in sorted(RESULTS.rglob("*.json")):
        for method, gain in gains(read(path)):
            helped.setdefault(method, []).append(gain)
    return {
        name: {"cost": costs(cost[name]) if name in cost else None, "helped": helped.get(name, [])}
        for name in sorted({*cost, *helped})
    }


def costs(one: Mapping[str, Any]) -> dict[str, float]:
    return {"time": round(one["time"]["median"], 2), "memory": round(one["memory"], 2)}


def gains(result: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, object]]]:
    """Method, place and points of every significant gain of a study's result."""
    if "places" not in result:
        return
    study = yaml.safe_load((ROOT / result["study"]).read_text(encoding="utf-8"))
    methods = methods_of(study)
    for place in result["places"]:
        at = {axis: str(option) for axis, option in place.items() if axis in study["axes"]}
        method = next((methods[axis, option] for axis, option in at.items() if (axis, option) in methods), None)
        for score in ("accuracy", "map"):
            gain = place.get("gains", {}).get(score)
            if method is not None and gain is not None and gain["value"] > 0 and gain["p_holm"] < LEVEL:
                yield (
                    method,
                    {"where": ", ".join([study["name"], *at.values()]), "points": round(100 * gain["value"], 1)},
                )


def methods_of(study: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The one method that an option of an axis brings, beside the labels."""
    found = {}
    for axis, options in study["axes"].items():
        for option, settings in options.items() if isinstance(options, dict) else ():
            terms = (settings or {}).get("terms", [])
            named = {term["method"] for term in terms} - {"supervised"}
            if len(named) == 1:
                found[axis, str(option)] = named.pop()
    return found


def page() -> str:
    """A table of claims, ours, verdict."""
    lines = [
        "# Published systems, and whether their claims hold here",
        "",
        "Made by `python docs/make_systems.py` from [the result files](../benchmarks/results/systems). Every claim was",
        "put to the test on small pages with small networks, on two cores; the page of a system says how, and what was",
        "tried where it fails. A claim that fails here may hold at the scale of its paper. *In part* means that some",
        "of the comparisons hold, or that the mean says so and the interval does not.",
        "",
        "| system | claim | ours | |",
        "|---|---|---|---|",
    ]
    for path in sorted((RESULTS / "systems").glob("*.json")):
        for claim in read(path)["claims"]:
            verdict = VERDICTS[claim["holds"]]
            lines.append(
                f"| [{path.stem}](systems/{path.stem}.md) | {claim['claim']} | {told(claim['ours'])} | {verdict} |"
            )
    return "\n".join(lines) + "\n"


def told(ours: object) -> str:
    """What was found, in a line: the first estimates with their intervals, or the words that are there."""
    if isinstance(ours, str):
        return ours
    lines = [f"{name} {one['value']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]" for name, one in estimates(ours)]
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
