import pytest
from PIL import Image

from distildoc.evaluate import Evaluation, read_predictions, report_of
from distildoc.evaluate.write import write_evaluation
from distildoc.schema.pages import FailedPage
from distildoc.schema.report import read_report


@pytest.fixture
def evaluation(table):
    return Evaluation(report_of(table, failed=1), table, (FailedPage("bad.jpg", "bad.jpg", 1, "cut short"),))


def test_folder_holds_report_predictions_failures_and_plots(evaluation, tmp_path):
    folder = tmp_path / "run" / "evaluation"
    assert write_evaluation(evaluation, folder) == folder / "report.json"
    assert {path.name for path in folder.iterdir()} == {
        "report.json",
        "predictions.csv",
        "failed.csv",
        "reliability.png",
        "risk_coverage.png",
        "confusion.png",
    }
    assert read_report(folder / "report.json") == evaluation.report
    assert read_predictions(folder / "predictions.csv").pages == evaluation.table.pages
    assert (folder / "failed.csv").read_text() == "page,reason\nbad.jpg,cut short\n"


def test_plots_are_pictures_with_something_on_them(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "e")
    for name in ("reliability", "risk_coverage", "confusion"):
        with Image.open(tmp_path / "e" / f"{name}.png") as image:
            assert min(image.size) > 300
            assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 20


def test_an_older_evaluation_is_replaced_as_a_whole(evaluation, table, tmp_path):
    write_evaluation(evaluation, tmp_path / "e")
    write_evaluation(Evaluation(report_of(table), table), tmp_path / "e")
    assert not (tmp_path / "e" / "failed.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_nothing_is_left_when_a_plot_fails(evaluation, tmp_path, monkeypatch):
    monkeypatch.setattr("distildoc.evaluate.write.write_figure", lambda figure, path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_evaluation(evaluation, tmp_path / "e")
    assert list(tmp_path.iterdir()) == []
