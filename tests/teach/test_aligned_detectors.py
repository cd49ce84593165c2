"""teach.aligned: many classes of a teacher to one of the student, against hand values and SciPy."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from distildoc.core.batch import Batch
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.schema.errors import InputError
from distildoc.schema.labels import LabelMap
from distildoc.teach.aligned import Aligned

TEACHER = ("Caption", "Table", "Code", "Text", "Form")
STUDENT = ("Text", "Table")
MAP = LabelMap({"Code": "Text", "Caption": "Text"}, drop=("Form",))
BATCH = Batch(torch.zeros(1, 3, 2, 2), {}, ())


class Says:
    """A teacher that always says the same."""

    fingerprint = "says"
    live = True
    features: tuple[str, ...] = ("map",)

    def __init__(self, logits: torch.Tensor, labels: tuple[str, ...] = TEACHER) -> None:
        self.labels = labels
        self.view = View({"logits": logits, "boxes": torch.zeros(*logits.shape[:-1], 4)}, {"map": torch.zeros(1)})

    def __call__(self, batch: Batch) -> View:
        return self.view


REGIONS = Says(torch.tensor([[[1.0, 5.0, 3.0, 2.0, 9.0], [-4.0, -3.0, -2.0, -1.0, 8.0]]]))


def test_a_merged_class_has_the_largest_of_its_scores_and_a_dropped_one_vanishes() -> None:
    aligned = Aligned(REGIONS, STUDENT, MAP)
    view = aligned(BATCH)
    assert view.outputs["logits"].tolist() == [[[3.0, 5.0], [-1.0, -3.0]]]
    assert view.outputs["boxes"] is REGIONS.view.outputs["boxes"]
    assert view.features is REGIONS.view.features
    assert isinstance(aligned, Teacher) and aligned.labels == STUDENT and aligned.features == ("map",)


def test_merged_classes_of_a_classifier_add_their_probabilities() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0, 0.5, 3.0]])
    found = Aligned(Says(logits), STUDENT, MAP)(BATCH).outputs["logits"]
    p = softmax(logits.double().numpy()[0])
    expected = np.array([p[0] + p[2] + p[3], p[1]])
    np.testing.assert_allclose(softmax(found.double().numpy()[0]), expected / expected.sum(), rtol=1e-6)


def test_renaming_one_to_one_permutes() -> None:
    renamed = LabelMap({"Form": "form", "Code": "code"})
    aligned = Aligned(REGIONS, ("form", "code", "Text", "Table", "Caption"), renamed)
    assert aligned(BATCH).outputs["logits"][0, 0].tolist() == [9, 3, 2, 5, 1]


def test_dropping_alone_keeps_the_other_scores() -> None:
    aligned = Aligned(REGIONS, ("Text", "Table"), LabelMap({}, drop=("Form", "Code", "Caption")))
    assert aligned(BATCH).outputs["logits"].tolist() == [[[2.0, 5.0], [-1.0, -3.0]]]


def test_a_class_that_the_teacher_lacks_is_refused_without_a_floor() -> None:
    with pytest.raises(InputError, match=r"only the student has \['Title'\], only the teacher has \[\]"):
        Aligned(REGIONS, (*STUDENT, "Title"), MAP)


def test_a_class_that_the_teacher_lacks_has_the_floor_as_its_logit() -> None:
    found = Aligned(REGIONS, (*STUDENT, "Title"), MAP, floor=-12.0)(BATCH).outputs["logits"]
    assert found.tolist() == [[[3.0, 5.0, -12.0], [-1.0, -3.0, -12.0]]]


def test_a_floor_lifts_no_score_that_the_teacher_gives() -> None:
    low = Says(torch.full((1, 1, 5), -15.0))
    assert Aligned(low, (*STUDENT, "Title"), MAP, floor=-12.0)(BATCH).outputs["logits"].tolist() == [[[-15, -15, -12]]]


def test_classes_that_do_not_map_are_named_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"only the student has \[\], only the teacher has .*'Form'.*`teacher.labels`"):
        Aligned(REGIONS, ("Text", "Table"))


@pytest.mark.parametrize("wrong", [LabelMap({"Tabel": "Table"}), LabelMap({}, drop=("Tabel",))])
def test_a_map_that_names_an_unknown_class_is_an_error_with_the_closest(wrong: LabelMap) -> None:
    with pytest.raises(InputError, match=r"teacher\.labels: the teacher has no class 'Tabel'; closest: Table"):
        Aligned(REGIONS, STUDENT, wrong)


def test_fingerprint_changes_with_the_map_and_only_with_it() -> None:
    reversed_order = Aligned(REGIONS, TEACHER[::-1])
    dropped = Aligned(REGIONS, TEACHER[:4], LabelMap({}, drop=("Form",)))
    assert reversed_order.fingerprint == dropped.fingerprint == REGIONS.fingerprint
    other = LabelMap({"Code": "Table", "Caption": "Text"}, drop=("Form",))
    floored = Aligned(REGIONS, (*STUDENT, "Title"), MAP, floor=-12.0)
    prints = {Aligned(REGIONS, STUDENT, each).fingerprint for each in (MAP, other)} | {floored.fingerprint}
    assert len(prints | {REGIONS.fingerprint}) == 4
    swapped = Aligned(REGIONS, TEACHER, LabelMap({"Text": "Table", "Table": "Text"}))
    assert swapped.fingerprint != REGIONS.fingerprint
    assert swapped(BATCH).outputs["logits"][0, 0].tolist() == [1, 2, 3, 5, 9]


def test_half_precision_scores_are_merged_in_fp32() -> None:
    aligned = Aligned(Says(torch.zeros(1, 5, dtype=torch.bfloat16)), STUDENT, MAP)
    assert aligned(BATCH).outputs["logits"].dtype == torch.float32
