"""DistilDoc's layout setting from its shipped run files, a few steps on generated pages in DocLayNet's form."""

import json
import shutil
from pathlib import Path

import pytest

from distildoc.data.corpus.make import make_corpus
from distildoc.recipes import stages
from distildoc.recipes.files import read_run_file

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "detection" / "paper"
SMALL = [
    "model.pretrained=false",
    "data.workers=0",
    "data.validation.hold_out=0.2",
    "input.scales=[]",
    "input.height=64",
    "input.width=64",
    "train.batch=2",
    "train.epochs=1",
]
STUDENTS = {"r101": "r50", "vit_b": "vit_t"}


@pytest.fixture(scope="module")
def doclaynet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO/{train,val}.json and PNG/ with generated pages, their precedence and category."""
    made, folder = (tmp_path_factory.mktemp(name) for name in ("corpus", "doclaynet"))
    make_corpus(made / "pages", pages=16, seed=1)
    (folder / "COCO").mkdir()
    (folder / "PNG").mkdir()
    content = json.loads((made / "pages" / "coco_train.json").read_text())
    for split, images in (("train", content["images"][:6]), ("val", content["images"][6:8])):
        names = {image["id"]: Path(image["file_name"]).name for image in images}
        for image in images:
            shutil.copy(made / "pages" / image["file_name"], folder / "PNG" / names[image["id"]])
        records = [
            {**image, "file_name": names[image["id"]], "precedence": 0, "doc_category": "manuals", "doc_name": str(i)}
            for i, image in enumerate(images)
        ]
        kept = [one for one in content["annotations"] if one["image_id"] in names]
        split_content = {**content, "images": records, "annotations": kept}
        (folder / "COCO" / f"{split}.json").write_text(json.dumps(split_content))
    return folder


@pytest.fixture(scope="module", params=["r101", "vit_b"])
def pair(request: pytest.FixtureRequest, doclaynet: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """(teacher's network, runs folder) after some steps of the teacher."""
    runs = tmp_path_factory.mktemp("runs")
    name = f"teacher_{request.param}"
    config = read_run_file(CONFIGS / f"{name}.yaml", [*SMALL, f"data.train.path={doclaynet}"])
    stages.train(config, runs / name)
    return request.param, runs


@pytest.mark.parametrize("method", ["simkd", "reviewkd"])
def test_the_papers_students_train_from_their_run_files(method: str, pair: tuple[str, Path], doclaynet: Path) -> None:
    teacher, runs = pair
    student = STUDENTS[teacher]
    overrides = [*SMALL, f"data.train.path={doclaynet}", f"teacher.runs=[{runs}/teacher_{teacher}]"]
    out = runs / f"{method}_{student}"
    stages.train(read_run_file(CONFIGS / f"{method}_{student}.yaml", overrides), out)
    record = json.loads((out / "records.jsonl").read_text().splitlines()[0])
    assert all(value == value for value in record["losses"].values())
    assert any("mse" in name or name.startswith(("simkd_layout", "reviewkd")) for name in record["losses"])
    assert ("supervised/box" in record["losses"]) == (method != "simkd")
    assert json.loads((out / "run.json").read_text())["stages"]["train"]["steps"] >= 2
    shutil.rmtree(out)
