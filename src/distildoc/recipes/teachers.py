"""The teacher a run names: one finished run or several as an ensemble, live or cached."""

from collections.abc import Sequence
from pathlib import Path

from distildoc.core.model import Model
from distildoc.core.teacher import Teacher
from distildoc.data.loader import Loader
from distildoc.models.load import load_model
from distildoc.recipes.config import TeacherConfig
from distildoc.schema.errors import ConfigError
from distildoc.teach.aligned import Aligned
from distildoc.teach.cached import open_cache
from distildoc.teach.ensemble import Ensemble
from distildoc.teach.live import Live


def teacher_models(config: TeacherConfig | None) -> list[Model]:
    """The models of the runs named; raises ConfigError for a folder that holds no finished run."""
    return [_model(Path(run)) for run in config.runs] if config else []


def live_teacher(
    models: Sequence[Model], labels: tuple[str, ...], taps: Sequence[str] = (), *, outputs: bool = True
) -> Teacher:
    """Runs the models on every batch; logits in the order of `labels`."""
    if len(models) == 1:
        return Aligned(Live(models[0], taps=taps, outputs=outputs), labels)
    if taps:
        raise ConfigError(
            f"an ensemble has no features of its own, but {list(taps)} are asked for; name one run under `teacher.runs`"
        )
    return Aligned(Ensemble([Live(model) for model in models]), labels)


def teacher_of(
    config: TeacherConfig,
    models: Sequence[Model],
    *,
    labels: tuple[str, ...],
    loader: Loader,
    taps: Sequence[str],
    outputs: bool,
) -> Teacher:
    """The teacher as the run wants it; raises InputError for a cache that is missing or of something else."""
    if config.cache is None:
        return live_teacher(models, labels, taps, outputs=outputs)
    if not Path(config.cache).is_dir():
        raise ConfigError(f"teacher.cache '{config.cache}': not written yet; run `distildoc cache` on this run file")
    live = live_teacher(models, labels, taps)
    return Aligned(open_cache(config.cache, live, loader=loader, dtype=config.cache_dtype), labels)


def _model(run: Path) -> Model:
    for folder in (run / "model", run):
        if (folder / "model.json").is_file():
            return load_model(folder)
    raise ConfigError(f"teacher '{run}': no finished run there (no model/model.json); train it first or mend the path")
