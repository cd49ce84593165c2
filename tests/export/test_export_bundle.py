import errno
import json

import pytest
import torch
from scipy.special import softmax

import distildoc
from distildoc.core.model import parameter_count
from distildoc.export import bundle as exporter
from distildoc.export.bundle import write_bundle
from distildoc.models.load import fingerprint
from distildoc.schema.bundle import read_bundle
from distildoc.schema.errors import InputError
from distildoc.schema.preprocess import to_network_input
from distildoc.schema.report import read_report


def test_the_bundle_says_what_it_is(exported, student, preprocess):
    bundle = read_bundle(exported)
    assert (bundle.labels, bundle.preprocess, bundle.temperature) == (student.labels, preprocess, 2.0)
    assert bundle.source == {"run": "kd-seed-0", "fingerprint": fingerprint(student)}
    assert bundle.cost == {"macs": 1.5e6, "latency_ms": 3.25, "parameters": parameter_count(student)}
    assert bundle.scores == {"accuracy": 0.85, "ece": 0.04}
    assert set(bundle.files) == {"model.onnx", "report.json"}
    assert bundle.versions["torch"] == torch.__version__


def test_a_bundle_is_a_folder_of_four_files(exported):
    assert sorted(path.name for path in exported.iterdir() if path.name != "verify.json") == [
        "README.md",
        "bundle.json",
        "model.onnx",
        "report.json",
    ]


def test_the_report_comes_along_unchanged(exported, report):
    assert read_report(exported / "report.json") == report


def test_predictions_are_the_calibrated_probabilities_of_the_student(exported, student, preprocess, pages):
    found = [result.probabilities for result in distildoc.load(exported)(pages)]
    for page, probabilities in zip(pages, found, strict=True):
        pixels = torch.from_numpy(to_network_input(preprocess(page.image())[None]))
        with torch.no_grad():
            logits = student(pixels)["logits"].double().numpy()
        assert probabilities == pytest.approx(softmax(logits[0] / 2), abs=1e-5)


def test_the_card_shows_scores_with_intervals_and_how_to_run_it(exported):
    card = (exported / "README.md").read_text()
    assert "| accuracy | 0.8500 | 0.7000 to 0.9500 |" in card
    assert "On 20 pages, 1 more could not be read." in card
    assert "float32 [batch, 3, 48, 32] in 0..1 (grey, three equal channels; the page stretched)" in card
    assert "letter, form, memo" in card
    assert "| latency_ms | 3.25 |" in card


def test_notes_in_the_card_do_not_break_the_bundle(exported):
    card = exported / "README.md"
    before = card.read_text()
    card.write_text(before + "\nUsed in the post room.\n")
    assert read_bundle(exported).task == "classification"
    card.write_text(before)


@pytest.fixture
def quick(monkeypatch, exported):
    """Copy a graph in place of exporting one."""
    graph = read_bundle(exported).graph

    def copy(model, path, *, size, temperature):
        path.write_bytes((exported / "model.onnx").read_bytes())
        return graph

    monkeypatch.setattr(exporter, "to_onnx", copy)


def test_without_a_report_the_card_says_so(quick, student, preprocess, tmp_path):
    bundle = write_bundle(tmp_path / "bundle", student, preprocess=preprocess)
    assert bundle.scores == {}
    assert "Not evaluated." in (tmp_path / "bundle" / "README.md").read_text()
    assert read_bundle(tmp_path / "bundle") == bundle


def test_writing_again_replaces_the_bundle(quick, student, preprocess, report, tmp_path):
    write_bundle(tmp_path / "bundle", student, preprocess=preprocess, report=report)
    write_bundle(tmp_path / "bundle", student, preprocess=preprocess, temperature=3.0)
    assert read_bundle(tmp_path / "bundle").temperature == 3.0
    assert not (tmp_path / "bundle" / "report.json").exists()


def test_a_full_disk_keeps_the_old_bundle(quick, student, preprocess, tmp_path, monkeypatch):
    def full(bundle, report, *, obstacle):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = write_bundle(tmp_path / "bundle", student, preprocess=preprocess)
    monkeypatch.setattr(exporter, "model_card", full)
    with pytest.raises(InputError, match="bundle: the disk is full"):
        write_bundle(tmp_path / "bundle", student, preprocess=preprocess, temperature=3.0)
    assert read_bundle(tmp_path / "bundle") == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_description_is_plain_json(exported):
    content = json.loads((exported / "bundle.json").read_text())
    assert content["format"] == 1
    assert content["preprocess"] == {"height": 48, "width": 32, "fit": "stretch", "grey": True}
