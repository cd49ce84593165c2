import copy
import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from distildoc.export.verify import verify
from distildoc.schema.bundle import stored
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage
from distildoc.schema.sources import pages_from


@pytest.fixture
def bundle(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "bundle")


def perturb(folder, amount):
    """Add to the bias of the classifier inside the graph, and mend the hash."""
    graph = onnx.load(str(folder / "model.onnx"))
    (bias,) = [item for item in graph.graph.initializer if list(item.dims) == [3]]
    value = numpy_helper.to_array(bias) + np.array([amount, 0, 0], np.float32)
    bias.CopyFrom(numpy_helper.from_array(value, bias.name))
    onnx.save(graph, str(folder / "model.onnx"))
    content = json.loads((folder / "bundle.json").read_text())
    record = stored(folder / "model.onnx")
    content["files"]["model.onnx"] = {"sha256": record.sha256, "bytes": record.bytes}
    (folder / "bundle.json").write_text(json.dumps(content))


def test_bundle_and_student_agree_on_real_shaped_pages(bundle, student, pages):
    found = verify(bundle, student, pages, batch=4)
    assert found.passed
    assert (found.pages, found.failed, found.agreement) == (10, 0, 1.0)
    assert found.probability_difference < 1e-5
    assert json.loads((bundle / "verify.json").read_text())["passed"] is True


def test_a_perturbed_graph_is_refused_and_the_difference_is_right(bundle, student, pages):
    perturb(bundle, 0.5)
    with pytest.raises(InputError, match="drift: on 10 pages a probability differs by") as error:
        verify(bundle, student, pages)
    assert "\n" not in str(error.value)
    written = json.loads((bundle / "verify.json").read_text())
    assert written["passed"] is False
    assert written["logit_difference"] == pytest.approx(0.25, abs=1e-4)  # 0.5 over the temperature of 2


def test_a_wider_tolerance_lets_it_pass(bundle, student, pages):
    perturb(bundle, 0.002)
    with pytest.raises(InputError, match="drift"):
        verify(bundle, student, pages, tolerance=1e-5)
    assert verify(bundle, student, pages, tolerance=0.01).passed


def test_pages_that_cannot_be_read_are_counted(bundle, student, pages):
    found = verify(bundle, student, [FailedPage("x", "x.pdf", 0, "needs a password"), *pages])
    assert (found.pages, found.failed) == (10, 1)


def test_no_readable_page_is_an_error(bundle, student):
    with pytest.raises(InputError, match="none of 1 pages can be read"):
        verify(bundle, student, [FailedPage("x", "x.pdf", 0, "needs a password")])


def test_a_bundle_of_another_student_is_refused(bundle, student, pages):
    other = copy.deepcopy(student)
    with torch.no_grad():
        other.head.bias[0] += 1e-3
    with pytest.raises(InputError, match="comes from another student"):
        verify(bundle, other, pages)


def test_a_student_in_training_is_compared_as_it_will_run(bundle, student, pages):
    training = copy.deepcopy(student).train()
    assert verify(bundle, training, pages).passed
    assert training.training


def test_real_pages_agree(bundle, student, real_data):
    files = sorted((real_data / "rvl5" / "val").rglob("*.jpg"))[:20]
    found = verify(bundle, student, pages_from(files))
    assert (found.pages, found.passed) == (20, True)
