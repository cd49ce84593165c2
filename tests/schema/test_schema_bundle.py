import json

import pytest

from distildoc.schema.bundle import Bundle, Graph, Stored, bundle_from_json, read_bundle, stored
from distildoc.schema.errors import InputError
from distildoc.schema.preprocess import Preprocess

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def described(files):
    return Bundle(
        task="classification",
        labels=("letter", "form"),
        preprocess=Preprocess(32, 24, "pad", True),
        temperature=1.5,
        graph=Graph("model.onnx", ("pixels",), ("logits",), 18),
        files=files,
        source={"run": "kd"},
        versions={"torch": "2.13"},
        cost={"parameters": 1000},
        scores={"accuracy": 0.9},
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"abc")
    bundle = described({"model.onnx": stored(tmp_path / "model.onnx")})
    (tmp_path / "bundle.json").write_text(json.dumps(bundle.to_json()))
    return tmp_path


@pytest.fixture
def change(folder):
    def edit(path, value):
        content = json.loads((folder / "bundle.json").read_text())
        place = content
        *parents, last = path.split("/")
        for parent in parents:
            place = place[parent]
        place[last] = value
        (folder / "bundle.json").write_text(json.dumps(content))

    return edit


def test_a_bundle_survives_writing_and_reading(folder):
    assert read_bundle(folder) == described({"model.onnx": Stored(SHA256_OF_ABC, 3)})


def test_id_changes_with_the_graph_and_the_labels(folder):
    bundle = read_bundle(folder)
    other = bundle_from_json({**bundle.to_json(), "labels": ["form", "letter"]} | {"graph": graph_of(bundle)}, "x")
    assert len({bundle.id, other.id, described({"model.onnx": Stored("0" * 64, 3)}).id}) == 3


def graph_of(bundle):
    return json.loads(json.dumps(bundle.to_json()))["graph"]


def test_a_truncated_graph_is_named_in_one_line(folder):
    (folder / "model.onnx").write_bytes(b"ab")
    with pytest.raises(InputError, match=r"model\.onnx: truncated: 2 bytes, bundle\.json says 3") as error:
        read_bundle(folder)
    assert "\n" not in str(error.value)


def test_a_changed_graph_of_the_same_size_is_refused(folder):
    (folder / "model.onnx").write_bytes(b"abd")
    with pytest.raises(InputError, match="changed since the export"):
        read_bundle(folder)


def test_a_missing_graph_is_named(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(InputError, match=r"model\.onnx: missing from the bundle"):
        read_bundle(folder)


def test_a_link_in_place_of_the_graph_is_refused(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model.onnx"
    (folder / "model.onnx").rename(elsewhere)
    (folder / "model.onnx").symlink_to(elsewhere)
    with pytest.raises(InputError, match="no plain file"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/b", "..", ".hidden", "", "C:\\x"])
def test_a_path_among_the_files_is_refused(name, folder, change):
    change("files", {name: {"sha256": SHA256_OF_ABC, "bytes": 3}})
    with pytest.raises(InputError, match="may only name files beside"):
        read_bundle(folder)


def test_a_truncated_description_is_named(folder):
    path = folder / "bundle.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(InputError, match=r"bundle\.json: not valid JSON"):
        read_bundle(folder)


def test_a_folder_without_a_description_is_no_bundle(tmp_path):
    with pytest.raises(InputError, match="no bundle there"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", 5, "bundle format 5, this version reads 1, 2, 3, 4"),
        ("labels", [], "'labels' must be a list of names"),
        ("labels", ["a", "a"], "none twice"),
        ("labels", ["a", 3], "'labels' must be text, got 3"),
        ("temperature", 0, "'temperature' must be above 0"),
        ("temperature", "hot", "'temperature' must be a finite number, got 'hot'"),
        ("temperature", float("inf"), "'temperature' must be a finite number, got inf"),
        ("temperature", 10**400, "'temperature' must be a finite number, got 1000"),
        ("cost", {"macs": 10**400}, "'cost.macs' must be a finite number, got 1000"),
        ("preprocess/height", 10**9, "'preprocess.height' must be a whole number from 1 to 8192"),
        ("preprocess/width", True, "'preprocess.width' must be a whole number"),
        ("preprocess/fit", "crop", "'preprocess.fit' must be stretch or pad, got 'crop'"),
        ("preprocess/gray", True, "unknown field 'gray'; closest: grey"),
        ("preprocess/grey", "yes", "'preprocess.grey' must be true or false"),
        ("graph/file", "other.onnx", "the graph 'other.onnx' is not among its files"),
        ("graph/inputs", "pixels", "'graph.inputs' must be a list of names"),
        ("graph/opset", 0, "'graph.opset' must be a whole number"),
        ("files/model.onnx", {"sha256": "zz", "bytes": 3}, "must be 64 hex digits, got 'zz'"),
        ("files/model.onnx", {"sha256": SHA256_OF_ABC, "bytes": 3 << 30}, "whole number from 1 to 2147483648"),
        ("files/model.onnx", {"sha256": SHA256_OF_ABC}, "the bundle has no field 'bytes'"),
        ("source", [], "'source' must be an object"),
        ("scores", {"accuracy": None}, "'scores.accuracy' must be a finite number"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(path, value, message, folder, change):
    change(path, value)
    with pytest.raises(InputError) as error:
        read_bundle(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["labels", "graph", "files", "temperature", "preprocess"])
def test_a_missing_field_is_named(field, folder):
    content = json.loads((folder / "bundle.json").read_text())
    del content[field]
    (folder / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"no field '{field}'"):
        read_bundle(folder)


def test_a_huge_description_is_refused_unread(folder):
    (folder / "bundle.json").write_text(" " * (5 << 20))
    with pytest.raises(InputError, match="more than the 4194304 allowed"):
        read_bundle(folder)


def test_deeply_nested_json_is_refused(folder):
    (folder / "bundle.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match="not valid JSON"):
        read_bundle(folder)
