"""The exam of attacks: a run's student on test pages whose pixels are moved against it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.data.pageset import PageSet, some
from distildoc.evaluate.attacks import Attack, right, share, withstood
from distildoc.evaluate.smoothing import ABSTAINED, Smoothing, certify
from distildoc.models.load import fingerprint
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exam import exam_hash, is_done
from distildoc.recipes.exams_config import AttacksConfig, SmoothingConfig
from distildoc.recipes.finished import student_of_run
from distildoc.recipes.folder import RunFolder, write_text
from distildoc.recipes.screen import Screen, counted
from distildoc.recipes.training import validation_loader

FORMAT = 1
RESULT = "exams/attacks.json"


def attacks_exam(folder: RunFolder, settings: AttacksConfig, pages: PageSet, screen: Screen) -> str:
    """Write exams/attacks.json into the run's folder where it is not there yet; a line of what was found.

    pages  the test pages that can be read.

    Shares of pages named right: as they are, and under every attack, with exact 95 % intervals. Raises InputError for a
    source of transfer that is not finished or has other classes.
    """
    config = folder.config()
    student, _ = student_of_run(folder)
    sources = {name: student_of_run(RunFolder(Path(run)))[0] for name, run in settings.transfer.items()}
    if settings.pages is not None:
        pages = some(pages, settings.pages, seed=settings.seed)
    models = " ".join(fingerprint(model) for model in (student, *sources.values()))
    identity = exam_hash(models, (FORMAT, settings.model_dump(exclude={"transfer"}), tuple(sources)), pages)
    out = folder.path / RESULT
    if is_done(out, identity):
        return f"{out}: already done"
    planned = _planned(settings, sources)
    batches = batches_of(config, pages)
    scores = {"clean": share(right(student, batches()))}
    with screen.bar("attacks") as advance:
        for attack in counted(planned, advance):
            scores[attack.name] = share(withstood(student, batches(), attack))
    content = {"format": FORMAT, "hash": identity, "pages": len(pages), "epsilon": settings.epsilon}
    content |= {"accuracy": {name: asdict(score) for name, score in scores.items()}}
    if settings.smoothing is not None:
        chosen = (
            pages if settings.smoothing.pages is None else some(pages, settings.smoothing.pages, seed=settings.seed)
        )
        content["certified"] = _certified(config, student, chosen, settings.smoothing, settings.seed)
    write_text(out, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return f"{out}: " + ", ".join(f"{name} {score.value:.4f}" for name, score in scores.items())


def batches_of(config: RunConfig, pages: PageSet) -> Callable[[], Sequence[Batch]]:
    """The pages as they are, in batches, as often as they are asked for."""
    loader = validation_loader(config, pages)
    return lambda: list(loader.once())


def smoothing_of(config: RunConfig, settings: SmoothingConfig, seed: int) -> Smoothing:
    """The vote under noise that the exam asks for."""
    return Smoothing(
        settings.sigma,
        choose=settings.choose,
        draws=settings.draws,
        alpha=settings.alpha,
        seed=seed,
        grey=config.input.grey,
    )


def _planned(settings: AttacksConfig, sources: dict[str, Model]) -> list[Attack]:
    epsilon, restarts, seed = settings.epsilon, settings.restarts, settings.seed
    planned = [Attack("fgsm", epsilon, 0)] if "fgsm" in settings.kinds else []
    if "pgd" in settings.kinds:
        planned += [Attack(f"pgd-{steps}", epsilon, steps, restarts, seed) for steps in settings.steps]
    steps = settings.steps[0]
    planned += [Attack(f"transfer-{name}", epsilon, steps, restarts, seed, model) for name, model in sources.items()]
    return planned


def _certified(
    config: RunConfig, student: Model, pages: PageSet, settings: SmoothingConfig, seed: int
) -> dict[str, object]:
    found = certify(student, batches_of(config, pages)(), smoothing_of(config, settings, seed))
    return {
        "sigma": settings.sigma,
        "draws": settings.draws,
        "alpha": settings.alpha,
        "pages": len(pages),
        "voted": asdict(share(found.right)),
        "abstained": int((found.winner == ABSTAINED).sum()),
        "radius": float(torch.where(found.right, found.radius, 0.0).mean()),
        "within": {f"{radius:g}": asdict(share(found.within(radius))) for radius in settings.radii},
    }
