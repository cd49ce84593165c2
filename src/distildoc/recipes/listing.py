"""What can be named in a run file, for people and programs."""

import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import Any

from distildoc.core.method import Finishes, Method, Paper, Surveys
from distildoc.core.pair import Pair
from distildoc.methods import method_module, method_names, tasks_of
from distildoc.models.build import build_model
from distildoc.models.detectors.build import build_detector
from distildoc.models.detectors.presets import DETECTORS
from distildoc.models.detectors.rcnn.presets import RCNNS
from distildoc.models.presets import MODELS
from distildoc.models.text.presets import TEXT_MODELS
from distildoc.schema.errors import InputError
from distildoc.tasks.classification import classification
from distildoc.tasks.detection import detection

Row = dict[str, object]
SIZE = (64, 64)
LABELS = ("a", "b")
# students that methods are built for, in the order in which they are tried
CLASSIFIERS = ("cnn-micro", "hme")
DETECTOR_SETTINGS: dict[str, dict[str, Any]] = {"d-fine-micro": {"queries": 4}, "mask-rcnn-micro": {"masks": False}}


def method_rows() -> list[Row]:
    """Every method: name, paper, year, kind, needs, cost, where it helped, what it does, module.

    cost     CPU time and memory of a training step over those of `over`: `kd` with the same student, or for methods of
             layouts alone `query_kd` or `pseudo_labels`, as measured in benchmarks/method_cost.py.
    helped   where it was better than a baseline: study, where in it, score, over what, points, and the test that shows
             it; the largest first, but last those of teachers that knew more than the student; None where no study
             has tried it.
    results  in how many of the committed results that tell gains it was `tried`, and in how many it `helped`.
    idea     first line of its page.

    Methods of other packages may lack paper and kind, and have no measurements: these are None.
    """
    found = measured()
    return [_method_row(name, method_module(name), found.get(name)) for name in method_names()]


def measured() -> dict[str, Row]:
    """By method: `cost` and `helped`, made from the result files by docs/make_systems.py."""
    content: dict[str, Row] = json.loads(files(__package__).joinpath("measured.json").read_text(encoding="utf-8"))
    return content


def needs_of(module: ModuleType) -> list[str]:
    """What a method asks for with its default settings, in words, from building it for the first small pair it takes.

    Most take CNNs or D-FINEs; some are for a mixture of experts alone, or for two-stage detectors.
    """
    of_pages = "classification" in tasks_of(module)
    for name in CLASSIFIERS if of_pages else DETECTOR_SETTINGS:
        pair = _pages_pair(name) if of_pages else _layout_pair(name)
        try:
            method = module.build(pair)
        except InputError:
            continue
        return _in_words(module, method, pair)
    return ["depends on the models"]


def _in_words(module: ModuleType, method: Method, pair: Pair) -> list[str]:
    needs = method.needs
    found = {
        "teacher outputs": needs.teacher and needs.teacher_outputs,
        f"teacher features: {', '.join(needs.teacher_taps)}": bool(needs.teacher_taps),
        "one or more teachers as experts": _takes_experts(module, pair),
        "a live teacher": needs.live_teacher,
        "a pass over the pages first": isinstance(method, Surveys),
        "whole batches": needs.couples_batch,
        "gradients of the pixels": needs.input_gradients,
        "more runs of the student": needs.own_pixels,
        "changes the student": isinstance(method, Finishes) or method.adapt(pair.student) is not pair.student,
    }
    return [name for name, true in found.items() if true]


def _takes_experts(module: ModuleType, pair: Pair) -> bool:
    try:
        return bool(module.build(replace(pair, experts=2)).needs.experts > 1)
    except InputError:
        return False


def model_rows() -> list[Row]:
    """Name, task and description of every preset."""
    tables = (
        ("classification", MODELS),
        ("classification", TEXT_MODELS),
        ("detection", DETECTORS),
        ("detection", RCNNS),
    )
    return [
        {"name": name, "task": task, "model": str(preset)} for task, table in tables for name, preset in table.items()
    ]


@cache
def _pages_pair(name: str) -> Pair:
    student, teacher = (build_model(n, labels=LABELS, size=SIZE, seed=s) for s, n in enumerate((name, "cnn-micro")))
    return Pair(student, teacher, classification(LABELS), SIZE)


@cache
def _layout_pair(name: str) -> Pair:
    models = [build_detector(name, labels=LABELS, size=SIZE, seed=seed, **DETECTOR_SETTINGS[name]) for seed in (0, 1)]
    return Pair(models[0], models[1], detection(LABELS), SIZE, dict.fromkeys(LABELS, 0.5))


def _method_row(name: str, module: ModuleType, measurements: Row | None) -> Row:
    paper = getattr(module, "PAPER", None)
    if not isinstance(paper, Paper):
        paper = None
    return {
        "name": name,
        "paper": None if paper is None else str(paper),
        "year": None if paper is None else paper.year,
        "tasks": list(tasks_of(module)),
        "kind": getattr(module, "KIND", None),
        "needs": needs_of(module),
        "cost": None if measurements is None else measurements["cost"],
        "helped": None if measurements is None else measurements["helped"],
        "results": None if measurements is None else measurements["results"],
        "idea": (module.__doc__ or "").strip().partition("\n")[0],
        "module": module.__name__,
    }
