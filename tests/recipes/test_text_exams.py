"""Exams of runs that read texts, against the tables of ordinary evaluations and vectors taken by hand."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distildoc.metrics.cka import cka_debiased, gram
from distildoc.models.load import load_model
from distildoc.recipes.agreement import agreement_exam
from distildoc.recipes.config import RunConfig
from distildoc.recipes.exams_config import AgreementConfig, RetrievalConfig
from distildoc.recipes.folder import RunFolder
from distildoc.recipes.retrieval import retrieval_exam
from distildoc.recipes.screen import SILENT
from distildoc.recipes.settings import validated
from distildoc.recipes.stages import evaluate, train
from distildoc.schema.errors import ConfigError

WORDS = {"good": ("fine", "lovely", "warm"), "bad": ("dull", "bland", "poor")}
BYTES = 40


def table(path: Path, count: int, seed: int) -> list[tuple[str, str]]:
    """(class, text) of every row; the class shows in one word."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        rows.append((label, f"w{draw.integers(20)} {draw.choice(WORDS[label])} w{draw.integers(20)} n{number + seed}"))
    path.write_text("label,text\n" + "".join(f"{label},{text}\n" for label, text in rows))
    return rows


def config(folder: Path, name: str, **more: Any) -> RunConfig:
    content = {
        "name": name,
        "data": {split: {"kind": "table", "path": str(folder / f"{split}.csv")} for split in ("train", "test")},
        "input": {"text_bytes": BYTES},
        "model": {"name": "text-mean", "width": 8, "hidden": 6, "tokens": 12, "vocabulary": 300},
        "train": {"epochs": 20, "batch": 8, "lr": 0.03, "threads": 1},
        **more,
    }
    return validated(RunConfig, content, "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student and its teacher of another make, both evaluated: the student with its exams."""
    made = tmp_path_factory.mktemp("texts")
    table(made / "train.csv", 40, 1000)
    table(made / "test.csv", 22, 2000)
    bert = {"name": "bert-micro", "width": 16, "tokens": 12, "vocabulary": 280}
    taught = {
        "teacher": {"runs": [str(made / "teacher")]},
        "terms": [{"method": "kd"}],
        "exams": {"agreement": {}, "retrieval": {"at": [1, 3]}},
    }
    train(config(made, "teacher", model=bert), made / "teacher")
    evaluate(made / "teacher")
    train(config(made, "student", **taught), made / "student")
    (made / "said").write_text(evaluate(made / "student"))
    return made


def probabilities(run: Path) -> np.ndarray:
    """[N, C] of the run's own evaluation."""
    with (run / "evaluation" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row["p:bad"]), float(row["p:good"])] for row in rows])


def vectors(run: Path, rows: list[tuple[str, str]]) -> np.ndarray:
    model = load_model(run / "model").eval()
    held = np.zeros((len(rows), BYTES), np.uint8)
    for row, (_, text) in zip(held, rows, strict=True):
        row[: len(text)] = np.frombuffer(text.encode(), np.uint8)
    with torch.no_grad():
        return model.body(model.entry(torch.from_numpy(held))).double().numpy()


def test_agreement_is_that_of_both_evaluations(folder: Path) -> None:
    content = json.loads((folder / "student" / "exams" / "agreement.json").read_text())
    student, teacher = probabilities(folder / "student"), probabilities(folder / "teacher")
    assert student.shape == teacher.shape == (22, 2)
    same = (student.argmax(1) == teacher.argmax(1)).mean()
    assert content["fidelity"]["value"] == pytest.approx(same)
    kl = (teacher * np.log(teacher / student)).sum(1).mean()
    assert content["kl"]["value"] == pytest.approx(kl, abs=1e-5)
    assert content["cka"]["student"] == ["late", "penultimate"]  # the hidden layer is what its head reads
    assert content["cka"]["teacher"] == ["penultimate"]
    asked = table(folder / "again.csv", 22, 2000)
    own, theirs = (gram(vectors(folder / name, asked)) for name in ("student", "teacher"))
    assert content["cka"]["values"] == [[pytest.approx(cka_debiased(own, theirs), abs=1e-4)]] * 2
    told = (folder / "said").read_text()
    assert f"fidelity {same:.4f}" in told
    assert "the student has no vector at early or middle, the teacher has no vector at early or middle or late" in told
    assert ", on 22 texts" in told


def test_retrieval_is_that_of_the_students_vectors(folder: Path) -> None:
    asking = table(folder / "again.csv", 22, 2000)
    found = json.loads((folder / "student" / "exams" / "retrieval.json").read_text())
    held = [line.split("#") for line in (folder / "student" / "train_pages.txt").read_text().splitlines()[1:]]
    rows = table(folder / "again.csv", 40, 1000)
    asked = [rows[int(number) - 1] for _, number in held]
    queries, database = vectors(folder / "student", asking), vectors(folder / "student", asked)
    near = (queries @ database.T / np.linalg.norm(database, axis=1)).argmax(1)
    right = np.mean([asked[place][0] == label for place, (label, _) in zip(near, asking, strict=True)])
    assert found["cosine"]["precision@1"]["value"] == pytest.approx(right)
    assert found["queries"] == {"count": 22, "failed": 0}
    assert f"22 queries in {len(asked)} texts" in (folder / "said").read_text()


def test_tokens_are_no_vectors_to_find_texts_by(folder: Path) -> None:
    with pytest.raises(ConfigError, match="this run reads texts; name a tap of vectors, as `penultimate`"):
        retrieval_exam(RunFolder(folder / "student"), RetrievalConfig(tap="map"), SILENT)


def test_without_a_vector_in_common_the_answers_are_compared_alone(folder: Path) -> None:
    path = folder / "student" / "exams" / "agreement.json"
    kept = path.read_text()
    line = agreement_exam(RunFolder(folder / "student"), AgreementConfig(taps=("late",)), SILENT)
    content = json.loads(path.read_text())
    path.write_text(kept)
    assert "cka" not in content
    assert content["fidelity"] == json.loads(kept)["fidelity"]
    assert "the teacher has no vector at late" in line and "the student has" not in line
