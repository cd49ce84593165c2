"""What can be named in a run file, for people and programs."""

from types import ModuleType

from distildoc.core.method import Paper
from distildoc.core.pair import Pair
from distildoc.methods import method_module, method_names
from distildoc.models.build import build_model
from distildoc.models.presets import MODELS
from distildoc.schema.errors import InputError
from distildoc.tasks.classification import classification

Row = dict[str, object]
SIZE = (32, 32)


def method_rows() -> list[Row]:
    """Every method: name, paper, year, kind, needs, what it does (first line of its page), module.

    Methods of other packages may lack paper and kind: these are None.
    """
    return [_method_row(name, method_module(name)) for name in method_names()]


def needs_of(module: ModuleType) -> list[str]:
    """What a method asks for with its default settings, in words, from building it for two small CNNs."""
    student, teacher = (build_model("cnn-micro", labels=("a", "b"), size=SIZE, seed=seed) for seed in (0, 1))
    try:
        method = module.build(Pair(student, teacher, classification(student.labels), SIZE))
    except InputError:
        return ["depends on the models"]
    needs = method.needs
    if not needs.teacher:
        return []
    found = {
        "teacher outputs": needs.teacher_outputs,
        f"teacher features: {', '.join(needs.teacher_taps)}": bool(needs.teacher_taps),
        f"{needs.experts} teachers": needs.experts > 1,
        "a live teacher": needs.live_teacher,
        "whole batches": needs.couples_batch,
        "gradients of the pixels": needs.input_gradients,
        "replaces the student's head": method.adapt(student) is not student,
    }
    return [name for name, true in found.items() if true]


def model_rows() -> list[Row]:
    """Name and description of every preset."""
    return [{"name": name, "model": str(preset)} for name, preset in MODELS.items()]


def _method_row(name: str, module: ModuleType) -> Row:
    paper = getattr(module, "PAPER", None)
    if not isinstance(paper, Paper):
        paper = None
    return {
        "name": name,
        "paper": None if paper is None else str(paper),
        "year": None if paper is None else paper.year,
        "kind": getattr(module, "KIND", None),
        "needs": needs_of(module),
        "idea": (module.__doc__ or "").strip().partition("\n")[0],
        "module": module.__name__,
    }
