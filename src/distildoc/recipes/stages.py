"""Every stage under one name; each says in a line what came out."""

from collections.abc import Callable
from pathlib import Path

from distildoc.recipes.config import RunConfig
from distildoc.recipes.scoring import evaluate, evaluate_on, export, verify
from distildoc.recipes.training import cache, check, train

__all__ = ["cache", "check", "evaluate", "evaluate_on", "export", "run", "train", "verify"]


def run(
    config: RunConfig,
    folder: Path,
    *,
    say: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """All stages in turn; `say` gets each one's line, `progress` follows the cache."""
    if config.teacher is not None and config.teacher.cache is not None:
        say(cache(config, progress=progress))
    say(train(config, folder))
    if config.data.test is not None:
        say(evaluate(folder))
    say(export(folder))
    say(verify(folder))
