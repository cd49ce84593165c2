import json

import pytest

from distildoc.schema.errors import InputError
from distildoc.train.records import Records, read_records


def _written(path):
    records = Records(path)
    for step in (1, 2, 3, 4):
        records.write({"kind": "train", "step": step, "epoch": (step - 1) / 2})
        if step % 2 == 0:
            records.write({"kind": "validation", "step": step, "epoch": step // 2, "score": 0.5})
    records.write({"kind": "end", "step": 4, "epoch": 2})
    return records


def _lines(path):
    return [(record["kind"], record["step"]) for record in read_records(path)]


def test_resuming_drops_what_comes_after_the_position(tmp_path):
    records = _written(tmp_path / "r.jsonl")
    records.resume(step=3, epoch=1)
    assert _lines(records.path) == [("train", 1), ("train", 2), ("validation", 2), ("train", 3)]


def test_resuming_before_a_validation_drops_it_although_its_step_was_done(tmp_path):
    records = _written(tmp_path / "r.jsonl")
    records.resume(step=2, epoch=0)
    assert _lines(records.path) == [("train", 1), ("train", 2)]


def test_a_line_cut_by_a_kill_is_dropped_and_the_next_one_stands_alone(tmp_path):
    records = _written(tmp_path / "r.jsonl")
    with records.path.open("a") as file:
        file.write('{"kind": "tra')
    records.resume(step=1, epoch=0)
    records.write({"kind": "train", "step": 2, "epoch": 0.5})
    assert _lines(records.path) == [("train", 1), ("train", 2)]


def test_numbers_that_are_not_finite_become_null(tmp_path):
    Records(tmp_path / "r.jsonl").write(
        {"kind": "train", "losses": {"kd": float("nan"), "ce": 1.0}, "lr": float("inf")}
    )
    line = json.loads((tmp_path / "r.jsonl").read_text(), parse_constant=pytest.fail)
    assert line == {"kind": "train", "losses": {"kd": None, "ce": 1.0}, "lr": None}


@pytest.mark.parametrize("line", ["[1]", "nonsense"])
def test_a_line_that_is_no_object_is_named(tmp_path, line):
    (tmp_path / "r.jsonl").write_text(f'{{"kind": "end"}}\n{line}\n')
    with pytest.raises(InputError, match="line 2"):
        read_records(tmp_path / "r.jsonl")


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the records"):
        Records(tmp_path / "file" / "r.jsonl").write({})
