import json

import pytest

from distildoc.schema.errors import InputError
from distildoc.study import read_runs
from distildoc.study.runs import read_run


def test_reads_all_parts_of_a_run(make_run):
    folder = make_run("kd-s1", 30, seed=1, hardware="2 cores")
    (folder / "records.jsonl").write_text(
        '{"kind": "train", "step": 20, "epoch": 0.4, "total": 1.2}\n'
        '{"kind": "validation", "step": 50, "epoch": 1, "score": 0.5}\n'
        '{"kind": "validation", "step": 100, "epoch": 2, "score": null}\n'
        '{"kind": "validation", "step": 150, "epoch": 3, "score": 0.75}\n'
        '{"kind": "end", "step": 150'
    )
    (folder / "bundle").mkdir()
    (folder / "bundle" / "bundle.json").write_text('{"format": 1}')
    (folder / "bundle" / "model.onnx").write_bytes(b"x" * 100)
    run = read_run(folder)
    assert (run.name, run.stem, run.role, run.method, run.seed) == ("kd-s1", "kd", "student", "kd", 1)
    assert run.report.scores["accuracy"].value == 0.75
    assert run.history == ((1.0, 0.5), (3.0, 0.75))
    assert run.bundle == {"format": 1}
    assert run.bundle_bytes == 113
    assert run.teachers == ("runs/teacher",)
    assert len(run.table()) == 40


def test_run_json_alone_is_enough(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    run = read_run(tmp_path)
    assert (run.name, run.role, run.report, run.history, run.table()) == (tmp_path.name, "student", None, (), None)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("kd-s0", "kd"),
        ("kd_seed12", "kd"),
        ("simkd.seed-3", "simkd"),
        ("vits", "vits"),
        ("cnn-small", "cnn-small"),
        ("s1", "s1"),
    ],
)
def test_stem_is_the_name_without_its_seed(make_run, name, stem):
    assert read_run(make_run(name, None)).stem == stem


def test_run_that_another_names_as_its_teacher_is_one(make_run):
    folders = [
        make_run("kd", 30),
        make_run("teacher", 36, method="supervised"),
        make_run("base", 20, method="supervised"),
    ]
    assert [run.role for run in read_runs(folders)] == ["student", "teacher", "supervised"]


def test_kind_in_the_record_goes_first(make_run):
    assert read_run(make_run("big", 36, method="supervised", kind="teacher")).role == "teacher"


def test_a_run_given_twice_is_read_once(make_run):
    folder = make_run("kd", 30)
    assert len(read_runs([folder, folder / ".." / "kd"])) == 1


def test_no_run_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no run given"):
        read_runs([])
    with pytest.raises(InputError, match=r"no run there \(no run.json\)"):
        read_runs([tmp_path])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("evaluation/report.json", '{"format": 7}'),
        ("bundle/bundle.json", "[]"),
        ("records.jsonl", "no json\n"),
    ],
)
def test_a_broken_file_is_named(make_run, name, content):
    folder = make_run("kd", 30)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    with pytest.raises(InputError) as error:
        read_run(folder)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("config", ["teacher: [", "- 1", "teacher: kd", "teacher: {runs: 3}", "a: &a [*a]", "\x00"])
def test_a_config_that_says_nothing_useful_names_no_teacher(make_run, config):
    folder = make_run("kd", None)
    (folder / "config.yaml").write_text(config)
    assert read_run(folder).teachers == ()


def test_a_huge_config_is_refused(make_run, monkeypatch):
    folder = make_run("kd", None)
    monkeypatch.setattr("distildoc.study.runs.MAX_CONFIG_BYTES", 5)
    with pytest.raises(InputError, match=r"config.yaml: \d+ bytes, more than the 5"):
        read_run(folder)


def test_seed_that_is_no_number_is_none(make_run):
    folder = make_run("kd", None)
    (folder / "run.json").write_text(json.dumps({"name": "kd", "seed": "zero"}))
    assert read_run(folder).seed is None
