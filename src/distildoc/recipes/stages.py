"""Every stage under one name; each says in a line what came out."""

from collections.abc import Callable
from pathlib import Path

from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams import exams
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import listed_pages, shifted_pages, test_pages
from distildoc.recipes.scoring import evaluate, evaluate_on, export, verify
from distildoc.recipes.screen import SILENT, Screen
from distildoc.recipes.training import cache, check, one_process, train

__all__ = ["cache", "check", "evaluate", "evaluate_on", "export", "run", "train", "verify"]


def run(config: RunConfig, out: Path, screen: Screen = SILENT) -> None:
    """All stages in turn, after a look at the class names of the test pages; finished stages are passed over.

    So are finished exams; those that a finished run did not have are done now.
    """
    one_process("run")
    folder = RunFolder(out)
    folder.refuse_other(config)
    if config.data.test is not None or config.exams is not None:
        labels = listed_pages(config.data)[0].labels
        test_pages(config.data, labels)
        shifted_pages(config, labels)
    if config.teacher is not None and config.teacher.cache is not None and folder.stage("train") is None:
        screen.say(cache(config, screen))
    screen.say(train(config, out, screen))
    folder.claim(config)
    stages: dict[str, tuple[Path, Callable[[], str]]] = {
        "evaluate": (folder.evaluation, lambda: evaluate(out, screen=screen)),
        "export": (folder.bundle, lambda: export(out)),
        "verify": (folder.bundle, lambda: verify(out, screen)),
    }
    if config.data.test is None:
        del stages["evaluate"]
    for name, (written, stage) in stages.items():
        done = folder.stage(name) is not None and written.is_dir()
        screen.say(f"{written}: `{name}` is already done" if done else stage())
        if name == "evaluate" and done:
            for line in exams(out, screen):
                screen.say(line)
