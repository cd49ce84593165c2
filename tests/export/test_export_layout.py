import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from PIL import Image
from torch import nn
from transformers import AutoConfig, AutoImageProcessor, RTDetrImageProcessorPil

import distildoc
from distildoc.core.model import Detector, Normalise, Places
from distildoc.export.bundle import write_bundle
from distildoc.export.detector_onnx import Regions, detector_to_onnx
from distildoc.export.docling import why_not_docling
from distildoc.export.verify_layout import verify_layout
from distildoc.models.detectors.build import build_detector
from distildoc.schema.bundle import read_bundle, stored
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.preprocess import Preprocess, to_network_input
from distildoc.schema.sources import pages_from

LABELS = ("Text", "Title", "List-item")
QUERIES = 12
SIZES = np.array([[1240, 1754], [600, 300], [333, 777]], np.int64)


class Pools(nn.Module):
    """A body with one map."""

    def forward(self, pixels):
        return [nn.functional.adaptive_avg_pool2d(pixels, 4)]


class Guess(nn.Module):
    """A head whose queries look at the whole map."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(48, QUERIES * (len(LABELS) + 4))

    def forward(self, maps, targets=None):
        said = self.linear(maps[0].flatten(1)).view(-1, QUERIES, len(LABELS) + 4)
        boxes = said[..., len(LABELS) :].sigmoid() * torch.tensor([0.8, 0.8, 0.4, 0.4]) + torch.tensor([0.1, 0.1, 0, 0])
        return {"logits": said[..., : len(LABELS)], "boxes": boxes}


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    places = Places(penultimate="", map="body", stages=("body",), levels=("body",))
    normalise = Normalise((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    return Detector(Pools(), Guess(), normalise=normalise, labels=LABELS, places=places, recipe={}).eval()


@pytest.fixture(scope="module")
def exported(student, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layout") / "bundle"
    write_bundle(folder, student, preprocess=Preprocess(64, 48), thresholds={"Text": 0.3}, source={"run": "tiny"})
    return folder


@pytest.fixture
def bundle(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "bundle")


@pytest.fixture(scope="module")
def pages():
    def page(number):
        noise = np.random.default_rng(number).integers(0, 255, (90 + number, 64, 3), dtype=np.uint8)
        return Page(f"p{number}", "p.png", 1, lambda px: Image.fromarray(noise))

    return [page(number) for number in range(6)]


def run(path, images, sizes):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images, "orig_target_sizes": sizes})


def by_hand(student, preprocess, images):
    """Boxes of every pair of query and class in pixels of each page, in float64, page by page."""
    with torch.no_grad():
        outputs = student(torch.from_numpy(images))
    for (width, height), logits, boxes in zip(SIZES.tolist(), outputs["logits"], outputs["boxes"], strict=True):
        x, y, w, h = boxes.double().numpy().T
        across, down = preprocess.share(width, height)
        found = np.stack([(x - w / 2) / across, (y - h / 2) / down, (x + w / 2) / across, (y + h / 2) / down], 1)
        scores = 1 / (1 + np.exp(-logits.double().numpy()))
        yield np.clip(found, 0, 1) * [width, height, width, height], scores


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_the_graph_gives_what_numpy_makes_of_the_networks_outputs(fit, student, tmp_path):
    preprocess = Preprocess(64, 48, fit)
    graph = detector_to_onnx(student, tmp_path / "model.onnx", preprocess)
    assert (graph.inputs, graph.outputs) == (("images", "orig_target_sizes"), ("labels", "boxes", "scores"))
    images = np.random.default_rng(0).random((3, 3, 64, 48), np.float32)
    labels, boxes, scores = run(tmp_path / "model.onnx", images, SIZES)
    assert (labels.dtype, boxes.dtype, scores.dtype) == (np.int64, np.float32, np.float32)
    for row, (places, certain) in enumerate(by_hand(student, preprocess, images)):
        order = np.argsort(-certain.ravel(), kind="stable")
        np.testing.assert_allclose(scores[row], certain.ravel()[order], atol=1e-6)
        assert labels[row].tolist() == (order % len(LABELS)).tolist()
        np.testing.assert_allclose(boxes[row], places[order // len(LABELS)], atol=0.05)


def test_the_graph_holds_no_path_of_this_machine_and_the_batch_is_dynamic(exported):
    content = (exported / "model.onnx").read_bytes()
    assert b"site-packages" not in content and b".py" not in content
    shapes = [item.type.tensor_type.shape.dim for item in onnx.load(str(exported / "model.onnx")).graph.input]
    assert all(dims[0].dim_param for dims in shapes)
    assert [dim.dim_value for dim in shapes[0][1:]] == [3, 64, 48]


def test_a_small_d_fine_is_exported_and_says_the_same(tmp_path):
    model = build_detector("d-fine-micro", labels=LABELS, size=(128, 128), seed=0, queries=20, denoising=0).eval()
    preprocess = Preprocess(128, 128)
    detector_to_onnx(model, tmp_path / "model.onnx", preprocess)
    same_as_torch(model, preprocess, tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rtdetr-r18", "rtdetrv2-micro", "mask-rcnn-micro"])
def test_other_families_are_exported_and_say_the_same(name, tmp_path):
    settings = {} if "rcnn" in name else {"queries": 20}
    model = build_detector(name, labels=LABELS, size=(128, 128), seed=0, **settings).eval()
    preprocess = Preprocess(128, 128)
    detector_to_onnx(model, tmp_path / "model.onnx", preprocess)
    same_as_torch(model, preprocess, tmp_path / "model.onnx")


def same_as_torch(model, preprocess, path):
    """As sets: two runtimes may order equal scores differently."""
    images = np.random.default_rng(1).random((3, 3, 128, 128), np.float32)
    with torch.no_grad():
        wanted = [
            part.numpy() for part in Regions(model, preprocess)(torch.from_numpy(images), torch.from_numpy(SIZES))
        ]
    found = run(path, images, SIZES)
    np.testing.assert_allclose(np.sort(found[2]), np.sort(wanted[2]), atol=1e-4)
    for row in range(3):
        certain = wanted[2][row] > 1e-6
        near = np.abs(wanted[1][row][:, None] - found[1][row][None]).max(2) < 1.0
        same = near & (wanted[0][row][:, None] == found[0][row][None])
        assert same[certain].any(1).mean() > 0.95


def test_the_bundle_says_what_it_is(exported, student):
    bundle = read_bundle(exported)
    assert (bundle.task, bundle.labels, bundle.temperature) == ("detection", LABELS, 1.0)
    assert bundle.thresholds == {"Text": 0.3, "Title": 0.5, "List-item": 0.5}
    assert bundle.nms_iou is None
    assert set(bundle.files) == {"model.onnx", "config.json", "preprocessor_config.json"}
    assert json.loads((exported / "bundle.json").read_text())["format"] == 2


def test_predictions_are_the_students(exported, student, pages):
    preprocess = Preprocess(64, 48)
    for page, found in zip(pages, distildoc.load(exported).raw(pages), strict=True):
        pixels = torch.from_numpy(to_network_input(preprocess(page.image())[None]))
        with torch.no_grad():
            _, boxes, scores = Regions(student, preprocess)(pixels, torch.tensor([page.image().size]))
        np.testing.assert_allclose(found.scores, scores[0], atol=1e-5)
        np.testing.assert_allclose(found.boxes, boxes[0], atol=1e-2)


def test_transformers_reads_classes_and_image_processor_from_the_bundle(exported):
    config = AutoConfig.from_pretrained(exported)
    assert config.id2label == {0: "text", 1: "title", 2: "list_item"}
    processor = AutoImageProcessor.from_pretrained(exported)
    assert (processor.size["height"], processor.size["width"]) == (64, 48)


def difference_of_pixels(folder, image):
    """Largest difference between our pixels and those of transformers' own processor, of 1."""
    processor = RTDetrImageProcessorPil.from_pretrained(folder)
    theirs = np.asarray(processor(images=[image.convert("RGB")], return_tensors="np")["pixel_values"][0])
    ours = to_network_input(read_bundle(folder).preprocess(image)[None])[0]
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max()


@pytest.mark.parametrize("size", [(200, 300), (64, 48), (33, 21), (1240, 1754)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_are_those_of_transformers(exported, size, mode):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    assert difference_of_pixels(exported, Image.fromarray(values).convert(mode)) <= 1 / 255 + 1e-6


def test_pixels_of_real_pages_are_those_of_transformers(exported, real_data):
    images = sorted((real_data / "poleval" / "images").iterdir())[:8]
    rendered = [page.image(None) for page in pages_from([real_data / "pdfs" / "us-003.pdf"])]
    for image in [*(Image.open(path) for path in images), *rendered]:
        assert difference_of_pixels(exported, image) <= 1 / 255 + 1e-6


def test_what_docling_cannot_use_is_no_docling_model_and_the_card_says_why(student, tmp_path):
    write_bundle(tmp_path / "padded", student, preprocess=Preprocess(64, 48, "pad"))
    assert not (tmp_path / "padded" / "config.json").exists()
    assert "docling stretches pages" in (tmp_path / "padded" / "README.md").read_text()
    assert why_not_docling(("Text", "stamp"), Preprocess(9, 9), channels=3) == "docling has no class for stamp"
    assert why_not_docling(("Text",), Preprocess(9, 9, grey=True), channels=1) is None
    assert "colour" in (why_not_docling(("Text",), Preprocess(9, 9, grey=True), channels=3) or "")


def test_the_card_shows_thresholds_and_how_to_use_the_model_in_docling(exported):
    card = (exported / "README.md").read_text()
    assert "pipeline_tag: object-detection" in card
    assert "| Text | 0.3 |" in card
    assert "LayoutObjectDetectionOptions(" in card
    assert "float32 [batch, 3, 64, 48] in 0..1 (RGB; the page stretched)" in card


def test_bundle_and_student_find_the_same(bundle, student, pages):
    failed = FailedPage("x", "x.pdf", 0, "needs a password")
    found = verify_layout(bundle, student, [failed, *pages])
    assert found.passed
    assert (found.pages, found.failed, found.matched) == (6, 1, 1.0)
    assert found.regions == 2 * 6 * QUERIES * len(LABELS)
    assert found.score_difference < 1e-5
    assert json.loads((bundle / "verify.json").read_text())["passed"] is True


def perturb(folder, amount):
    """Add to the bias of the head inside the graph, and mend the hash."""
    graph = onnx.load(str(folder / "model.onnx"))
    (bias,) = [item for item in graph.graph.initializer if list(item.dims) == [QUERIES * (len(LABELS) + 4)]]
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(amount), bias.name))
    onnx.save(graph, str(folder / "model.onnx"))
    content = json.loads((folder / "bundle.json").read_text())
    record = stored(folder / "model.onnx")
    content["files"]["model.onnx"] = {"sha256": record.sha256, "bytes": record.bytes}
    (folder / "bundle.json").write_text(json.dumps(content))


def test_a_perturbed_graph_is_refused(bundle, student, pages):
    perturb(bundle, 0.1)
    with pytest.raises(InputError, match=r"drift: on 6 pages only .* regions are found again") as error:
        verify_layout(bundle, student, pages)
    assert "\n" not in str(error.value)
    assert json.loads((bundle / "verify.json").read_text())["passed"] is False


def test_a_bundle_of_another_student_is_refused(bundle, pages):
    torch.manual_seed(1)
    places = Places(penultimate="", map="body", stages=("body",), levels=("body",))
    other = Detector(Pools(), Guess(), normalise=Normalise(), labels=LABELS, places=places, recipe={})
    with pytest.raises(InputError, match="comes from another student"):
        verify_layout(bundle, other, pages)


def test_no_readable_page_is_an_error(bundle, student):
    with pytest.raises(InputError, match="none of 1 pages can be read"):
        verify_layout(bundle, student, [FailedPage("x", "x.pdf", 0, "needs a password")])


def test_a_student_in_training_is_compared_as_it_will_run(bundle, student, pages):
    student.train()
    assert verify_layout(bundle, student, pages[:1]).passed
    assert student.training
    student.eval()


def test_scores_of_a_detector_have_no_temperature(student, tmp_path):
    with pytest.raises(ValueError, match="no temperature"):
        write_bundle(tmp_path / "bundle", student, preprocess=Preprocess(64, 48), temperature=2.0)
    assert list(tmp_path.iterdir()) == []
