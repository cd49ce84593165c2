"""The teacher a run names: one finished run, several as an ensemble, or several kept apart; live or cached."""

from collections.abc import Sequence
from pathlib import Path

from distildoc.core.model import Detector, Model
from distildoc.core.teacher import Teacher
from distildoc.data.loader import Loader
from distildoc.models.load import fingerprint, load_model
from distildoc.recipes.config import TeacherConfig
from distildoc.recipes.folder import RunFolder
from distildoc.schema.errors import ConfigError
from distildoc.schema.labels import LabelMap
from distildoc.schema.taxonomies import taxonomy_map
from distildoc.teach.aligned import Aligned
from distildoc.teach.cached import open_cache
from distildoc.teach.ensemble import Ensemble, Experts
from distildoc.teach.known import Known
from distildoc.teach.live import Live, joint_fingerprint


def teacher_models(config: TeacherConfig | None) -> list[Model]:
    """The models of the runs named; raises ConfigError for a folder that holds no finished run."""
    return [_model(Path(run)) for run in config.runs] if config else []


def label_map_of(config: TeacherConfig, labels: Sequence[str]) -> LabelMap:
    """The map from a teacher's classes to the student's names that the run file asks for."""
    wanted = config.labels
    if wanted.map is not None:
        return taxonomy_map(wanted.map, labels)
    return LabelMap(wanted.rename, wanted.drop)


def known_of(config: TeacherConfig | None, models: Sequence[Model], labels: Sequence[str]) -> Known | None:
    """The classes that all models of the teacher know, where the run lets it lack some; None: all are asked for.

    Raises ConfigError where it knows none.
    """
    if config is None or config.labels.missing == "refuse":
        return None
    names = [set(map(label_map_of(config, model.labels), model.labels)) for model in models]
    columns = tuple(i for i, name in enumerate(labels) if all(name in known for known in names))
    if not columns:
        raise ConfigError(
            f"teacher.labels: the teacher knows none of the classes {list(labels)}; map them with `rename`"
        )
    return Known(columns)


def teacher_thresholds(config: TeacherConfig | None) -> dict[str, float]:
    """Scores above which the regions of the only teacher count, by class in the student's names.

    They were chosen on the validation pages of the teacher's run; none where it has no such record. Of classes that
    become one, the highest.
    """
    if config is None or len(config.runs) != 1:
        return {}
    trained = RunFolder(Path(config.runs[0])).stage("train") or {}
    chosen = {str(name): float(score) for name, score in trained.get("thresholds", {}).items()}
    label_map = label_map_of(config, tuple(chosen))
    found: dict[str, float] = {}
    for name, score in chosen.items():
        mapped = label_map(name)
        if mapped is not None:
            found[mapped] = max(score, found.get(mapped, 0.0))
    return found


def weights_of(models: Sequence[Model]) -> str:
    """One fingerprint of the models of a teacher, whatever names its classes get and whether it is cached."""
    if len(models) == 1:
        return fingerprint(models[0])
    return joint_fingerprint([fingerprint(model) for model in models])


def live_teacher(
    models: Sequence[Model],
    labels: tuple[str, ...],
    taps: Sequence[str] = (),
    *,
    outputs: bool = True,
    label_map: LabelMap | None = None,
) -> Teacher:
    """Runs the models on every batch; logits in the order of `labels`, where outputs are read at all."""
    if len(models) == 1:
        live = Live(models[0], taps=taps, outputs=outputs)
        return Aligned(live, labels, label_map) if outputs else live
    if any(isinstance(model, Detector) for model in models):
        raise ConfigError(f"teacher.runs: {len(models)} detectors have no mean; name one run")
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
) -> Teacher | Experts:
    """The teacher as the run wants it; raises InputError for a cache that is missing or of something else."""
    asked = [
        _asked(config, group, folder, labels=labels, loader=loader, taps=taps, outputs=outputs)
        for group, folder in cached_groups(config, models)
    ]
    return Experts(asked) if config.experts else asked[0]


def cached_groups(config: TeacherConfig, models: Sequence[Model]) -> list[tuple[Sequence[Model], Path | None]]:
    """The models that speak with one voice, and the folder of their cache: all of them, or each expert alone."""
    groups = [[model] for model in models] if config.experts else [models]
    folders: list[Path | None] = [*cache_folders(config)] or [None] * len(groups)
    return list(zip(groups, folders, strict=True))


def cache_folders(config: TeacherConfig) -> list[Path]:
    """Where the answers of the teacher lie, or those of each expert; none where nothing is cached."""
    if config.cache is None:
        return []
    cache = Path(config.cache)
    return [cache / f"expert-{i}" for i in range(len(config.runs))] if config.experts else [cache]


def _asked(
    config: TeacherConfig,
    models: Sequence[Model],
    cache: Path | None,
    *,
    labels: tuple[str, ...],
    loader: Loader,
    taps: Sequence[str],
    outputs: bool,
) -> Teacher:
    """One teacher, live or from its cache."""
    label_map = label_map_of(config, models[0].labels)
    if cache is None:
        return live_teacher(models, labels, taps, outputs=outputs, label_map=label_map)
    if not cache.is_dir():
        raise ConfigError(f"teacher.cache '{cache}': not written yet; run `distildoc cache` on this run file")
    live = live_teacher(models, labels, taps, label_map=label_map)
    return Aligned(open_cache(cache, live, loader=loader, dtype=config.cache_dtype), labels)


def _model(run: Path) -> Model:
    for folder in (run / "model", run):
        if (folder / "model.json").is_file():
            return load_model(folder)
    raise ConfigError(f"teacher '{run}': no finished run there (no model/model.json); train it first or mend the path")
