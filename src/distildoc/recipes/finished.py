"""The student of a run that has been trained."""

from distildoc.core.model import Model
from distildoc.models.load import load_model
from distildoc.recipes.folder import RunFolder

TRAIN_FIRST = "run `distildoc train` on its run file"


def student_of_run(folder: RunFolder) -> tuple[Model, dict[str, object]]:
    """The trained student, and what was written down when it was finished."""
    trained = folder.require("train", TRAIN_FIRST)
    return load_model(folder.model), trained
