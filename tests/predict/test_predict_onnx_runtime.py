import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from distildoc.predict.onnx_runtime import OnnxClassifier, load
from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage
from distildoc.schema.predictions import Predictor


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_probabilities_equal_numpy_in_the_order_of_the_pages(batch, bundle, hand):
    results = list(load(bundle, batch=batch)(hand.pages(7)))
    assert [result.page.id for result in results] == [f"page-{number}" for number in range(7)]
    for number, result in enumerate(results):
        assert_allclose(result.probabilities, hand.expected(number), atol=1e-6)
        assert result.label == hand.labels[int(hand.expected(number).argmax())]


def test_is_a_predictor(bundle):
    assert isinstance(load(bundle), Predictor)


def test_a_page_that_cannot_be_read_keeps_its_place(bundle, hand):
    pages = [hand.page(0), hand.page(1, broken=True), FailedPage("x", "x.pdf", 0, "needs a password"), hand.page(3)]
    first, second, third, fourth = load(bundle, batch=2)(pages)
    assert second == FailedPage("page-1", "1.png", 1, "page 1: cannot read the image (damaged)")
    assert third == pages[2]
    assert_allclose(first.probabilities, hand.expected(0), atol=1e-6)
    assert_allclose(fourth.probabilities, hand.expected(3), atol=1e-6)


def test_a_batch_of_bad_pages_alone_runs_no_network(bundle, hand):
    results = list(load(bundle, batch=2)([hand.page(number, broken=True) for number in range(4)]))
    assert [type(result) for result in results] == [FailedPage] * 4


def test_no_pages_give_no_predictions(bundle):
    assert list(load(bundle)([])) == []


def test_pages_are_read_a_batch_at_a_time(bundle, hand):
    asked = []

    def stream():
        for number in range(100):
            asked.append(number)
            yield hand.page(number)

    next(iter(load(bundle, batch=4)(stream())))
    assert len(asked) == 4


def test_each_page_is_decoded_before_the_next_is_asked_for(bundle, hand):
    events = []

    def stream():
        for number in range(4):
            events.append(f"asked {number}")
            page = hand.page(number)
            yield type(page)(page.id, page.source, 1, lambda px, page=page: events.append(page.id) or page.load(px))

    list(load(bundle, batch=4)(stream()))
    assert events[:4] == ["asked 0", "page-0", "asked 1", "page-1"]


def test_logits_are_what_the_graph_gives(bundle, hand):
    pixels = np.full((2, hand.side, hand.side, 3), 51, np.uint8)  # 51 / 255 = 0.2
    assert_allclose(load(bundle).logits(pixels), np.tile(0.2 * hand.weights.sum(0) + hand.bias, (2, 1)), atol=1e-5)


def test_one_thread_gives_the_same(bundle, hand):
    one, all_of_them = (list(load(bundle, threads=threads)(hand.pages(3))) for threads in (1, None))
    for first, second in zip(one, all_of_them, strict=True):
        assert_allclose(first.probabilities, second.probabilities, atol=1e-6)


def test_numbers_that_are_not_finite_fail_the_page(make_bundle, hand):
    weights = hand.weights.copy()
    weights[0, 0] = np.nan
    (result,) = load(make_bundle(hand.graph(weights)))([hand.page(1)])
    assert isinstance(result, FailedPage)
    assert "not finite" in result.reason


def test_a_graph_with_fewer_classes_than_labels_is_refused(make_bundle, hand):
    with pytest.raises(InputError, match=r"the graph gives 3 classes, bundle\.json names 4"):
        load(make_bundle(hand.graph(hand.weights[:, :3], hand.bias[:3])))


def test_a_graph_of_another_size_is_refused(make_bundle):
    with pytest.raises(InputError, match=r"the graph reads .*16, 16\], bundle\.json says \[3, 32, 32\]"):
        load(make_bundle(side=32))


def test_a_graph_with_other_names_is_refused(bundle):
    content = json.loads((bundle / "bundle.json").read_text())
    content["graph"]["inputs"] = ["image"]
    (bundle / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"inputs \['pixels'\] and outputs \['logits'\], bundle\.json says \['image'\]"
    ):
        load(bundle)


def test_a_file_that_is_no_graph_is_one_line(bundle):
    from distildoc.schema.bundle import stored

    (bundle / "model.onnx").write_bytes(b"no graph at all")
    content = json.loads((bundle / "bundle.json").read_text())
    record = stored(bundle / "model.onnx")
    content["files"]["model.onnx"] = {"sha256": record.sha256, "bytes": record.bytes}
    (bundle / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="onnxruntime cannot open the graph") as error:
        load(bundle)
    assert "\n" not in str(error.value)


def test_a_truncated_bundle_is_refused(bundle):
    graph = bundle / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-5])
    with pytest.raises(InputError, match="truncated"):
        load(bundle)


def test_a_batch_of_nothing_is_refused(bundle):
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        OnnxClassifier(bundle, batch=0)
