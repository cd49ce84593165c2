"""Run files: what is refused, and in which words."""

from pathlib import Path

import pytest

from distildoc.recipes.files import config_hash, dump, read_run_file
from distildoc.recipes.settings import checked_settings
from distildoc.schema.errors import ConfigError

MINIMAL = "name: a\ndata:\n  train: {kind: folder, path: pages}\nmodel: {name: cnn-tiny}\n"


def write(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def example(*, temperature: float = 4.0, kind: str = "x") -> None: ...


def test_setting_is_converted_to_the_type_of_the_argument() -> None:
    assert checked_settings(example, {"temperature": "2"}, "terms[0]") == {"temperature": 2.0}


def test_unknown_setting_names_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"terms\[0\]: unknown key 'temprature'; closest: temperature"):
        checked_settings(example, {"temprature": 2}, "terms[0]")


def test_unknown_key_inside_a_section_names_the_closest(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "train: {epoch: 3}\n")
    with pytest.raises(ConfigError, match=r"unknown key 'train.epoch'; closest: epochs"):
        read_run_file(path)


def test_value_out_of_range_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "train: {lr: -1}\n")
    with pytest.raises(ConfigError, match=r"'train.lr'.*greater than 0, got -1"):
        read_run_file(path)


def test_override_replaces_what_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "train: {epochs: 3}\n")
    assert read_run_file(path, ["train.epochs=5", "seed=7"]).train.epochs == 5


def test_base_is_overlaid_key_by_key(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL + "train: {epochs: 3, batch: 8}\n", "base.yaml")
    config = read_run_file(write(tmp_path, "base: base.yaml\nname: b\ntrain: {epochs: 4}\n"))
    assert (config.name, config.train.epochs, config.train.batch) == ("b", 4, 8)


def test_base_that_names_itself_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="circle"):
        read_run_file(write(tmp_path, "base: run.yaml\n"))


def test_variable_is_filled_in_and_a_missing_one_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, MINIMAL.replace("pages", "'${PAGES_ROOT}/train'"))
    monkeypatch.setenv("PAGES_ROOT", "/p")
    assert read_run_file(path).data.train.settings == {"path": "/p/train"}
    monkeypatch.delenv("PAGES_ROOT")
    with pytest.raises(ConfigError, match="PAGES_ROOT is not set"):
        read_run_file(path)


@pytest.mark.parametrize("text", ["- a\n", "a: [", "", "x: !!python/object/apply:os.system ['true']\n"])
def test_file_that_is_no_run_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_run_file(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_written_run_reads_back_as_the_same_run(tmp_path: Path) -> None:
    config = read_run_file(write(tmp_path, MINIMAL + "terms: [{method: kd, weight: 0.5, temperature: 2}]\n"))
    again = read_run_file(write(tmp_path, dump(config), "again.yaml"))
    assert config_hash(again) == config_hash(config) and again == config


def test_any_changed_setting_changes_the_hash(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    assert config_hash(read_run_file(path)) != config_hash(read_run_file(path, ["train.lr=0.002"]))
