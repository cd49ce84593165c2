"""What trains an arm of the comparison of layout students, and what it goes on from."""

from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def poleval(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.chdir(ROOT)
    import poleval  # type: ignore[import-not-found]

    return poleval


def test_an_arm_goes_on_from_the_stage_of_its_own_seed(poleval: ModuleType, tmp_path: Path) -> None:
    family = poleval.FAMILIES["rcnn"]
    first, second, score = (one[3:] for one in poleval.commands(family, "soft_then_labels", 3, tmp_path, 1.0))
    assert first[1:] == [
        "configs/detection/rcnn/soft_start.yaml", "seed=3", "name=soft_start-s3", "train.epochs=8",
        "-o", str(tmp_path / "soft_start-s3"),
    ]  # fmt: skip
    assert second[1:] == [
        "configs/detection/rcnn/soft_then_labels.yaml", "seed=3", "name=soft_then_labels-s3", "train.epochs=23",
        f"start={tmp_path / 'soft_start-s3'}", "-o", str(tmp_path / "soft_then_labels-s3"),
    ]  # fmt: skip
    assert (first[0], second[0], score) == ("train", "train", ["evaluate", str(tmp_path / "soft_then_labels-s3")])


def test_other_arms_start_where_their_run_files_say(poleval: ModuleType, tmp_path: Path) -> None:
    for family in poleval.FAMILIES.values():
        train, score = poleval.commands(family, "supervised", 0, tmp_path, 2.0)
        assert not any(word.startswith("start=") for word in train)
        assert (train[3], score[3]) == ("train", "evaluate")
        assert poleval.earlier_runs(family, "supervised", [0, 1], tmp_path) == []
