"""Runs that read texts: every stage, from a table to predictions of a bundle."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from distildoc.core.texts import Tokenise
from distildoc.models.build import build_model
from distildoc.models.load import load_model
from distildoc.models.text.tokenizers import cut_at
from distildoc.predict.files import predict_files
from distildoc.recipes.build import pair_of
from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import read_run_file
from distildoc.recipes.screen import Screen
from distildoc.recipes.stages import check, evaluate_on, run, train
from distildoc.schema.bundle import read_bundle
from distildoc.schema.errors import ConfigError, InputError

KD = {"method": "kd"}
GOOD, BAD = ("fine", "lovely", "warm"), ("dull", "bland", "poor")


def texts(path: Path, count: int, seed: int) -> Path:
    """Sentences whose class shows in one word."""
    draw = np.random.default_rng(seed)
    rows = ["label,text"]
    for number in range(count):
        kind = number % 2
        words = [f"w{draw.integers(30)}" for _ in range(4)] + [str(draw.choice((BAD, GOOD)[kind]))]
        rows.append(f"{kind},{' '.join(draw.permutation(words))} n{number + 1000 * seed}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("texts")
    texts(made / "train.csv", 120, 1)
    texts(made / "test.csv", 40, 2)
    return made


def config(folder: Path, name: str, **more: object) -> RunConfig:
    names = {"0": "negative", "1": "positive"}
    content = {
        "name": name,
        "data": {
            "train": {"kind": "table", "path": str(folder / "train.csv"), "names": names},
            "test": {"kind": "table", "path": str(folder / "test.csv"), "names": names},
            "validation": {"hold_out": 0.2},
        },
        "input": {"text_bytes": 64},
        "model": {"name": "text-mean", "width": 16, "hidden": 8, "tokens": 16, "vocabulary": 400},
        "train": {"epochs": 12, "batch": 16, "lr": 0.02, "threads": 1},
        **more,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return read_run_file(path)


@pytest.fixture(scope="module")
def teacher(folder: Path) -> Path:
    run(config(folder, "teacher"), folder / "teacher")
    return folder / "teacher"


def test_a_run_on_texts_goes_through_every_stage(teacher: Path, folder: Path, tmp_path: Path) -> None:
    report = json.loads((teacher / "evaluation" / "report.json").read_text())
    assert report["scores"]["accuracy"]["value"] > 0.9
    assert report["cost"]["text_bytes"] == 64
    verified = json.loads((teacher / "bundle" / "verify.json").read_text())
    assert verified["passed"]
    assert verified["agreement"] == 1
    bundle = read_bundle(teacher / "bundle")
    assert bundle.reads_texts
    assert json.loads((teacher / "bundle" / "bundle.json").read_text())["format"] == 4
    card = (teacher / "bundle" / "README.md").read_text()
    assert "text-classification" in card
    assert "`input_ids` and `attention_mask`" in card
    found = predict_files(teacher / "bundle", [folder / "test.csv"], tmp_path / "out")
    assert (found.pages, found.failed) == (40, 0)
    pages = json.loads((tmp_path / "out" / "predictions.json").read_text())["pages"]
    truth = [line.split(",")[0] for line in (folder / "test.csv").read_text().splitlines()[1:]]
    right = np.mean(
        [one["label"] == ("negative", "positive")[int(kind)] for one, kind in zip(pages, truth, strict=True)]
    )
    assert right == report["scores"]["accuracy"]["value"]


@pytest.mark.parametrize(
    "term",
    [
        {"method": "kd"},
        {"method": "lelp", "subclasses": 3},
        {"method": "fitnet", "student_tap": "penultimate", "teacher_tap": "penultimate"},
        {"method": "rkd"},
        {"method": "dml"},
    ],
    ids=lambda term: term["method"],
)
def test_methods_on_logits_and_vectors_distil_texts(term: dict[str, object], teacher: Path, folder: Path) -> None:
    wanted = config(
        folder, f"student-{term['method']}", teacher={"runs": [str(teacher)]}, terms=[{"method": "supervised"}, term]
    )
    run(wanted, folder / wanted.name)
    report = json.loads((folder / wanted.name / "evaluation" / "report.json").read_text())
    assert report["scores"]["accuracy"]["value"] > 0.8
    assert (folder / wanted.name / "bundle" / "verify.json").is_file()


def test_a_cached_teacher_teaches_as_the_live_one(teacher: Path, folder: Path) -> None:
    terms = [{"method": "kd"}, {"method": "lelp", "subclasses": 3}]
    runs = {"runs": [str(teacher)]}
    for name, more in {"live": runs, "cached": {**runs, "cache": str(folder / "cache")}}.items():
        run(config(folder, name, teacher=more, terms=terms), folder / name)
    live, cached = (load_model(folder / name / "model").state_dict() for name in ("live", "cached"))
    for name in live:
        torch.testing.assert_close(cached[name], live[name], rtol=1e-4, atol=1e-5)


def test_pieces_of_words_come_from_all_texts_of_the_source_or_from_the_start(teacher: Path, folder: Path) -> None:
    def tokenizer(run: Path) -> str:
        normalise = load_model(run / "model").normalise
        assert isinstance(normalise, Tokenise)
        return normalise.tokenizer

    part = config(folder, "part")
    part = part.model_copy(update={"data": part.data.model_copy(update={"per_class": 5})})
    train(part, folder / "part")
    assert tokenizer(folder / "part") == tokenizer(teacher)
    other = {"name": "text-mean", "width": 16, "hidden": 8, "tokens": 9, "vocabulary": 300}
    train(config(folder, "other", model=other, start=None), folder / "other")
    assert tokenizer(folder / "other") != tokenizer(teacher)
    with pytest.raises(ConfigError, match=r"`vocabulary` is that of the run in `start`"):
        train(config(folder, "on", model=other, start=str(folder / "other")), folder / "on")
    going_on = {"name": "text-mean", "width": 16, "hidden": 8, "tokens": 16}
    train(config(folder, "on", model=going_on, start=str(folder / "other")), folder / "on")
    assert tokenizer(folder / "on") == cut_at(tokenizer(folder / "other"), 16)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"augmentation": {"noise": 0.1}}, "augmentation is for pages"),
        ({"task": "detection"}, "task: detection is for pages"),
        ({"exams": {"attacks": {}}}, r"exams\.attacks is for pages"),
        ({"exams": {"corruptions": {}}}, r"exams\.corruptions is for pages"),
        ({"input": {"text_bytes": 64, "scales": [64]}}, r"input\.scales is for pages"),
        ({"input": {"text_bytes": 4}}, "text_bytes"),
    ],
)
def test_what_needs_pixels_is_refused(more: dict[str, object], told: str, folder: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        config(folder, "refused", **more)


def test_wrong_runs_are_told_before_they_leave_a_folder(teacher: Path, folder: Path, tmp_path: Path) -> None:
    cases = {
        "text_bytes": config(folder, "a", input={"height": 32, "width": 32}, model={"name": "cnn-micro"}),
        "unknown text model 'cnn-micro'": config(folder, "b", model={"name": "cnn-micro"}),
        "'dropout'.*less than 1": config(folder, "f", model={"name": "text-mean", "dropout": 2.0}),
        "'width'.*greater than 0": config(folder, "g", model={"name": "text-mean", "width": 0}),
        "'vocabulary'.*less than or equal": config(folder, "h", model={"name": "text-mean", "vocabulary": 10**12}),
        "unknown key 'depth'": config(folder, "c", model={"name": "text-mean", "depth": 2}),
        "moves or hides pixels, and this run reads texts": config(folder, "d", terms=[{"method": "adversarial"}]),
        r"terms\[0\] \(attention\): maps and patches are of pages": config(
            folder, "e", teacher={"runs": [str(teacher)]}, terms=[{"method": "attention"}]
        ),
    }
    for told, wanted in cases.items():
        with pytest.raises((ConfigError, InputError), match=told):
            train(wanted, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_other_tables_have_other_columns(teacher: Path, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "other.tsv"
    table.write_text("n\tsentence\tpolarity\n1\tw1 fine w2\t+\n2\tpoor w3\t-\n")
    columns = {"text": "sentence", "label": "polarity", "names": {"+": "positive", "-": "negative"}}
    for target in (teacher, teacher / "bundle"):
        line = evaluate_on(target, table, out=tmp_path / target.name, skip_bad=False, columns=columns)
        assert line.endswith(" on 2 texts") and "accuracy 1.0000" in line
    with pytest.raises(InputError, match="is no table"):
        evaluate_on(teacher, folder, out=tmp_path / "no", skip_bad=False, columns=columns)


def test_bad_rows_are_counted_and_named_and_the_others_scored(teacher: Path, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "torn.csv"
    table.write_text("text,label\nw1 fine w2,positive\nw1 w2\npoor w3,negative\nw4 dull w5,\n")
    for target in (teacher, teacher / "bundle"):
        with pytest.raises(InputError, match=r"torn\.csv#2: .*line 3 has 1 values.*with --skip-bad"):
            evaluate_on(target, table, out=tmp_path / "out", skip_bad=False)
        assert not (tmp_path / "out").exists()
        line = evaluate_on(target, table, out=tmp_path / target.name, skip_bad=True)
        assert "accuracy 1.0000" in line and line.endswith(", 2 unreadable")
        failed = (tmp_path / target.name / "failed.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in failed] == ["page", "torn.csv#2", "torn.csv#4"]
        assert "line 3 has 1 values" in failed[1] and "row 4 has no class" in failed[2]


def test_a_run_leaves_bad_rows_out_where_it_is_told_to(folder: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.csv"
    torn.write_text((folder / "train.csv").read_text() + "one value\n1,a,b\n")
    wanted = config(folder, "torn")
    data = {**wanted.data.model_dump(), "train": {**wanted.data.train.model_dump(), "path": str(torn)}}
    with pytest.raises(InputError, match=r"torn\.csv: 2 of 98 cannot be read.*with --skip-bad"):
        check(config(folder, "torn", data=data))
    run(config(folder, "torn", data={**data, "skip_bad": True}), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["stages"]["train"]["skipped"] == [
        "torn.csv#121",
        "torn.csv#122",
    ]


def test_the_screen_speaks_of_texts(
    teacher: Path, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torn = tmp_path / "torn.csv"
    torn.write_text((folder / "train.csv").read_text() + "one value\n")
    wanted = config(folder, "spoken", teacher={"runs": [str(teacher)], "cache": str(tmp_path / "cache")})
    data = {**wanted.data.model_dump(), "train": {**wanted.data.train.model_dump(), "path": str(torn)}}
    wanted = config(folder, "spoken", teacher=wanted.teacher.model_dump(), data={**data, "skip_bad": True}, terms=[KD])
    lines: list[str] = []
    with caplog.at_level(logging.INFO, logger="distildoc"):
        lines += check(wanted)
        run(wanted, tmp_path / "run", Screen(lines.append))
    told = "\n".join([*lines, *caplog.messages, (tmp_path / "run" / "bundle" / "README.md").read_text()])
    for words in (
        "texts    96 to train on, 24 to select on, 1 unreadable",
        "test     40 texts, not decoded here",
        "1 unreadable texts left out",
        " texts/s, ",
        " on 40 texts\n",
        "verified on 24 texts",
        "On 40 texts.",
        "On the 24 validation texts",
    ):
        assert words in told
    assert "pages" not in told


def test_cut_texts_are_counted(folder: Path) -> None:
    wanted = config(folder, "cut", input={"text_bytes": 16})
    assert any("96 of the texts to train on, at 16 bytes" in line for line in check(wanted))


def test_a_teacher_of_texts_does_not_teach_pages(teacher: Path, folder: Path, tmp_path: Path) -> None:
    pages = config(folder, "pages", input={"height": 32, "width": 32}, teacher={"runs": [str(teacher)]})
    model = build_model("cnn-micro", labels=("negative", "positive"), size=(32, 32))
    with pytest.raises(
        ConfigError, match="teacher: its model reads texts, and this run pages; name a teacher of pages"
    ):
        pair_of(pages, [load_model(teacher / "model")], ("negative", "positive"))
    with pytest.raises(
        ConfigError, match="teacher: its model reads pages, and this run texts; name a teacher of texts"
    ):
        pair_of(config(folder, "texts"), [model], ("negative", "positive"))


def test_a_bundle_of_texts_refuses_pages_and_ranges(teacher: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    for arguments, told in (
        ({"paths": [tmp_path / "a.pdf"]}, "cannot read texts from"),
        ({"paths": [folder / "test.csv"], "pages": "1"}, "--pages and --password are for documents"),
        ({"paths": [folder / "test.csv"], "column": "words"}, "no column 'words'"),
    ):
        with pytest.raises(InputError, match=told):
            predict_files(teacher / "bundle", out=tmp_path / "out", **arguments)
        assert not (tmp_path / "out").exists()
    swapped = tmp_path / "swapped"
    shutil.copytree(teacher / "bundle", swapped)
    content = json.loads((swapped / "bundle.json").read_text())
    content["graph"]["inputs"].reverse()
    (swapped / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="a bundle of texts has the inputs"):
        predict_files(swapped, [folder / "test.csv"], tmp_path / "out")
    (teacher / "bundle" / "tokenizer.json").rename(teacher / "kept")
    with pytest.raises(InputError, match=r"tokenizer\.json: missing from the bundle"):
        read_bundle(teacher / "bundle")
    (teacher / "kept").rename(teacher / "bundle" / "tokenizer.json")
