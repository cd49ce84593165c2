"""Search: settings of a run chosen on its validation pages, by Optuna's tree-structured Parzen estimator.

    best = argmax_settings mean_seeds score on the validation pages

Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", NeurIPS 24, section 4. Test pages are not read. A
trial is an ordinary run, so that one that was trained before is not trained again; the sampler is seeded and asked in
order, so that a search that was stopped comes to the same trials.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distildoc.recipes.files import short_hash
from distildoc.recipes.folder import write_text
from distildoc.schema.errors import InputError
from distildoc.schema.json_files import read_json
from distildoc.study.config import ChoicesConfig, RangeConfig, SearchConfig
from distildoc.study.grid import Grid, Place, Planned

FORMAT = 1
Scored = Callable[[Planned], float]  # trains a run and gives its score on the validation pages, 0..1


def search_key(grid: Grid, place: Place) -> str:
    """16 hex digits of what determines what a search finds."""
    settings = _settings(grid)
    run = grid.planned(place, settings.seeds[0])
    space = {name: values.model_dump(mode="json") for name, values in place.space.items()}
    text = json.dumps([run.key, space, settings.trials, settings.seed, settings.seeds], sort_keys=True)
    return short_hash(text)


def search_path(grid: Grid, place: Place) -> Path:
    """The file that holds what was found."""
    return grid.folder / "searches" / f"{search_key(grid, place)}.json"


def found_at(path: Path) -> dict[str, Any] | None:
    """The best settings in the file of a search; None where it has not ended."""
    if not path.is_file():
        return None
    best = read_json(path).get("best")
    if not isinstance(best, dict):
        raise InputError(f"{path}: not what a search found (no `best`); delete it and run the study again")
    return best


def search(grid: Grid, place: Place, score: Scored, told: Callable[[str], None]) -> str:
    """Try settings one after the other and write down all of them; raises InputError where every trial failed."""
    optuna = _optuna()
    settings = _settings(grid)
    sampler = optuna.samplers.TPESampler(seed=settings.seed)
    asked = optuna.create_study(direction="maximize", sampler=sampler)
    space = {name: _distribution(values) for name, values in place.space.items()}
    trials: list[dict[str, Any]] = []
    for number in range(settings.trials):
        trial = asked.ask(space)
        tried = _tried(grid, place, trial.params, settings, score)
        if tried["score"] is None:
            asked.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            asked.tell(trial, tried["score"])
        trials.append(tried)
        told(f"trial {number + 1} of {settings.trials}: {_words(tried)}")
    best = max((one for one in trials if one["score"] is not None), key=lambda one: one["score"], default=None)
    if best is None:
        raise InputError(
            f"search {place.name}: all {len(trials)} trials failed, the last one with: {trials[-1]['error']}"
        )
    path = search_path(grid, place)
    content = {"format": FORMAT, "name": place.name, "best": best["settings"], "score": best["score"], "trials": trials}
    write_text(path, json.dumps(content, indent=1) + "\n")
    return f"best of {len(trials)}: {_words(best)}"


def _tried(
    grid: Grid, place: Place, chosen: Mapping[str, Any], settings: SearchConfig, score: Scored
) -> dict[str, Any]:
    """A trial as it is written down; `score` is None where a run could not be trained, and `error` says why."""
    runs = [grid.planned(place, seed, chosen) for seed in settings.seeds]
    record: dict[str, Any] = {"settings": dict(chosen), "runs": [run.key for run in runs], "score": None}
    try:
        return record | {"score": float(np.mean([score(run) for run in runs]))}
    except (InputError, FloatingPointError, RuntimeError) as error:
        return record | {"error": " ".join(str(error).split())}


def _words(tried: Mapping[str, Any]) -> str:
    chosen = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in tried["settings"].items()
    )
    return f"{chosen}: " + (f"failed, {tried['error']}" if tried["score"] is None else f"{tried['score']:.4f}")


def _settings(grid: Grid) -> SearchConfig:
    assert grid.study.search is not None  # places have a space only where there is a search
    return grid.study.search


def _distribution(values: RangeConfig | ChoicesConfig) -> Any:
    distributions = _optuna().distributions
    if isinstance(values, ChoicesConfig):
        return distributions.CategoricalDistribution(values.choices)
    if values.whole:
        return distributions.IntDistribution(int(values.low), int(values.high), log=values.log)
    return distributions.FloatDistribution(values.low, values.high, log=values.log)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError("a search needs optuna: pip install 'distildoc[study]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
