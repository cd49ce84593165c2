"""methods.pseudo_labels against regions chosen by hand."""

from dataclasses import replace

import pytest
import torch

from distildoc.core.batch import PSEUDO, TRUE, UNKNOWN, UNLABELLED, Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.method import Relabels
from distildoc.core.pair import Pair
from distildoc.core.task import Task
from distildoc.core.view import View
from distildoc.methods.pseudo_labels import PseudoLabels, build
from distildoc.models.build import build_model
from distildoc.schema.errors import ConfigError
from distildoc.tasks.classification import classification

CLOCK = Clock(0, 1, 0.0)
LABELS = ("text", "table", "title")
NEVER = UNLABELLED
FOUND = [  # class, score, box; what a teacher says of every page
    (0, 0.9, [0.3, 0.3, 0.2, 0.2]),
    (1, 0.8, [0.3, 0.3, 0.2, 0.21]),  # the same place under another name
    (1, 0.7, [0.7, 0.7, 0.2, 0.2]),
    (2, 0.6, [0.5, 0.1, 0.4, 0.05]),
    (0, 0.95, [0.9, 0.9, 0.001, 0.1]),  # a line
    (0, 0.2, [0.1, 0.8, 0.1, 0.1]),
]


def teacher(pages: int) -> View:
    logits = torch.full((pages, len(FOUND), 3), -9.0)
    for row, (kind, score, _) in enumerate(FOUND):
        logits[:, row, kind] = torch.logit(torch.tensor(score))
    return View({"logits": logits, "boxes": torch.tensor([box for *_, box in FOUND]).expand(pages, -1, 4)})


def batch(*origins: int, rows: int = 2) -> Batch:
    """Pages of noise with one region each where they are labelled."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(len(origins), rows, 4, generator=generator)
    classes = torch.full((len(origins), rows), NEVER)
    origin = torch.tensor(origins)
    classes[origin == TRUE, 0] = 2
    targets = {"boxes": boxes, "classes": classes, "origin": origin}
    keys = tuple(Key(f"page{i}", 0) for i in range(len(origins)))
    return Batch(torch.rand(len(origins), 3, 8, 8, generator=generator), targets, keys)


def method(*thresholds: float, **settings: float) -> PseudoLabels:
    values = {"most": 100, "smallest": 0.004, "overlap": 0.7} | settings
    return PseudoLabels(thresholds or (0.5, 0.5, 0.5), **values)  # type: ignore[arg-type]


def regions(found: Batch, page: int) -> list[tuple[int, list[float]]]:
    classes, boxes = found.targets["classes"][page], found.targets["boxes"][page]
    return [(kind, box) for kind, box in zip(classes.tolist(), boxes.tolist(), strict=True) if kind != NEVER]


def pair(thresholds: dict[str, float], name: str = "detection") -> Pair:
    model = build_model("cnn-micro", labels=LABELS, size=(32, 32))
    task = Task(name, LABELS, ("logits", "boxes"), classification(LABELS).loss, "map")
    return Pair(model, None, task, (32, 32), thresholds)


def test_certain_regions_become_targets_without_duplicates_and_lines() -> None:
    found = method().relabel(batch(UNKNOWN), teacher(1))
    assert found.targets["origin"].tolist() == [PSEUDO]
    assert [kind for kind, _ in regions(found, 0)] == [0, 1, 2]
    for (_, box), row in zip(regions(found, 0), (0, 2, 3), strict=True):
        assert box == pytest.approx(FOUND[row][2])
    assert found.targets["classes"].dtype == torch.int64


def test_each_class_has_its_own_threshold() -> None:
    found = method(0.99, 0.75, 0.1).relabel(batch(UNKNOWN), teacher(1))
    assert [kind for kind, _ in regions(found, 0)] == [1, 2]  # the table where the text was, and the title
    assert regions(found, 0)[0][1] == pytest.approx(FOUND[1][2])


def test_labelled_pages_stay_as_they_are() -> None:
    before = batch(TRUE, UNKNOWN, TRUE)
    after = method().relabel(before, teacher(3))
    assert after.targets["origin"].tolist() == [TRUE, PSEUDO, TRUE]
    for page in (0, 2):
        assert torch.equal(after.targets["boxes"][page, :2], before.targets["boxes"][page])
        assert after.targets["classes"][page].tolist() == [2, NEVER, NEVER]
    assert before.targets["origin"].tolist() == [TRUE, UNKNOWN, TRUE]
    assert after.inputs is before.inputs and after.keys == before.keys


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_padding_is_as_wide_as_needed(rows: int) -> None:
    found = method().relabel(batch(TRUE, UNKNOWN, rows=rows), teacher(2))
    assert found.targets["classes"].shape == (2, max(rows, 3))
    assert found.targets["boxes"].shape == (2, max(rows, 3), 4)


def test_at_most_so_many_regions_are_kept_the_most_certain_first() -> None:
    found = method(most=1).relabel(batch(UNKNOWN), teacher(1))
    assert regions(found, 0) == [(0, pytest.approx(FOUND[0][2]))]


def test_duplicates_stay_where_any_overlap_is_allowed() -> None:
    found = method(overlap=1.0).relabel(batch(UNKNOWN), teacher(1))
    assert [kind for kind, _ in regions(found, 0)] == [0, 1, 1, 2]


def test_boxes_are_cut_at_the_edge_of_the_page() -> None:
    view = teacher(1)
    boxes = view.outputs["boxes"].clone()
    boxes[0, 0] = torch.tensor([0.0, 0.5, 0.4, 0.2])
    found = method().relabel(batch(UNKNOWN), View({**view.outputs, "boxes": boxes}))
    assert regions(found, 0)[0][1] == pytest.approx([0.1, 0.5, 0.2, 0.2])


def test_a_page_on_which_nothing_is_certain_stays_unknown() -> None:
    before = batch(UNKNOWN, TRUE)
    assert method(0.99, 0.99, 0.99).relabel(before, teacher(2)) is before


def test_a_batch_without_unknown_pages_is_left_alone() -> None:
    before = batch(TRUE, TRUE)
    assert method().relabel(before, teacher(2)) is before


def test_pseudo_labels_are_certain_beside_regions_with_scores() -> None:
    given = batch(TRUE, UNKNOWN)
    scored = replace(given, targets={**given.targets, "scores": torch.full((2, 2), 0.3)})
    found = method().relabel(scored, teacher(2)).targets["scores"]
    assert found.tolist() == [pytest.approx([0.3, 0.3, 1]), [1, 1, 1]]


def test_losses_are_the_students_own_on_pseudo_pages() -> None:
    outputs = {"logits": torch.zeros(1, 2, 3), "loss/vfl": torch.tensor(9.0), "pseudo/vfl": torch.tensor(2.0)}
    found = method()(View(outputs), teacher(1), batch(UNKNOWN), CLOCK)
    assert {name: loss.item() for name, loss in found.items()} == {"vfl": 2.0}


def test_a_batch_without_pseudo_pages_gives_zero_with_a_gradient_of_zero() -> None:
    weight = torch.tensor(3.0, requires_grad=True)
    found = method()(View({"loss/vfl": 2 * weight, "loss/giou": weight}), teacher(1), batch(TRUE), CLOCK)
    assert {name: loss.item() for name, loss in found.items()} == {"vfl": 0.0, "giou": 0.0}
    sum(found.values()).backward()
    assert weight.grad is not None and weight.grad.item() == 0


def test_half_precision_and_extreme_scores_choose_the_same_regions() -> None:
    view = teacher(1)
    half = View({name: values.bfloat16() for name, values in view.outputs.items()})
    assert [kind for kind, _ in regions(method().relabel(batch(UNKNOWN), half), 0)] == [0, 1, 2]
    extreme = View({"logits": 1e4 * view.outputs["logits"], "boxes": view.outputs["boxes"]})
    found = method().relabel(batch(UNKNOWN), extreme)
    assert all(torch.isfinite(values).all() for values in found.targets.values())


def test_it_is_a_method_that_relabels() -> None:
    assert isinstance(method(), Relabels)


def test_thresholds_come_from_validation_by_name_or_are_one_for_all() -> None:
    chosen = pair({"title": 0.3, "text": 0.6})
    assert build(chosen) == method(0.6, 2.0, 0.3)
    assert build(chosen, threshold=0.4) == method(0.4, 0.4, 0.4)


def test_a_class_without_a_threshold_gives_no_pseudo_labels() -> None:
    found = build(pair({"text": 0.5, "title": 0.5}))
    assert isinstance(found, PseudoLabels)
    assert [kind for kind, _ in regions(found.relabel(batch(UNKNOWN), teacher(1)), 0)] == [0, 2]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (lambda: pair({}), "no thresholds were chosen on validation pages; set `threshold`"),
        (lambda: pair({"txt": 0.5}), "no class 'txt' to set a threshold for; closest: text"),
        (lambda: pair({"text": 0.5}, "classification"), "the task is classification"),
    ],
)
def test_what_cannot_be_built_is_an_error_with_a_way_out(of, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(of())


def test_a_chosen_threshold_below_the_least_is_raised_to_it() -> None:
    chosen = pair({"text": 0.02, "table": 0.6, "title": 0.6})
    assert build(chosen).thresholds == (0.3, 0.6, 0.6)
    assert build(chosen, least=0.0).thresholds == (0.02, 0.6, 0.6)
