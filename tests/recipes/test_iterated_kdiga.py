"""The iterated form of kdiga: a chain of runs, the student of each the teacher of the next."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.losses.alignment import gap_norm
from distildoc.losses.attacks import cross_entropy, pixel_gradient
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes import stages
from distildoc.recipes.attacks import batches_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.pages import training_pages

ConfigOf = Callable[..., RunConfig]


def linked(config_of: ConfigOf, teacher: Path, folder: Path, *, gamma: float) -> Path:
    """A student of the run `teacher`, in `folder`."""
    config = config_of(
        name=folder.name,
        teacher={"runs": [str(teacher)]},
        terms=[{"method": "supervised"}, {"method": "kdiga", "gamma": gamma}],
        train={"epochs": 8},
    )
    stages.train(config, folder)
    return folder


def gap(config: RunConfig, *runs: Path) -> float:
    """Mean distance of the pixel gradients of two runs on the training pages."""
    nets = [load_model(RunFolder(run).model).eval() for run in runs]
    batches = batches_of(config, training_pages(config.data).train)()
    return float(torch.cat([gap_norm(*(gradient(net, batch) for net in nets)) for batch in batches]).mean())


def gradient(net: Model, batch: Batch) -> Tensor:
    return pixel_gradient(lambda x: cross_entropy(net(x)["logits"], batch.targets["label"]), batch.inputs)


def test_the_second_link_of_a_chain_takes_the_gradients_of_the_first(
    config_of: ConfigOf, teacher: Path, tmp_path: Path
) -> None:
    first = linked(config_of, teacher, tmp_path / "first", gamma=10.0)
    second = linked(config_of, first, tmp_path / "second", gamma=10.0)
    without = linked(config_of, first, tmp_path / "without", gamma=0.0)
    taught = [RunFolder(run).stage("train") for run in (first, second)]
    expected = [fingerprint(load_model(RunFolder(run).model)) for run in (teacher, first)]
    assert [one and one["teacher"] for one in taught] == expected
    assert gap(config_of(), second, first) < 0.5 * gap(config_of(), without, first)
