"""teach.known: columns and labels by hand."""

import torch

from distildoc.core.batch import Batch, Key
from distildoc.core.view import View
from distildoc.teach.known import Known

KNOWN = Known((0, 2, 3))
LOGITS = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])


def test_a_view_keeps_the_columns_of_known_classes() -> None:
    feature = torch.ones(2, 3)
    found = KNOWN.view(View({"logits": LOGITS}, {"map": feature}))
    assert found.outputs["logits"].tolist() == [[1, 3, 4], [5, 7, 8]]
    assert found.features["map"] is feature and found.again is None


def test_the_student_run_again_is_seen_alike() -> None:
    found = KNOWN.view(View({"logits": LOGITS}, again=lambda pixels: View({"logits": LOGITS + pixels})))
    assert found.again is not None
    assert found.again(torch.ones(1)).outputs["logits"].tolist() == [[2, 4, 5], [6, 8, 9]]


def test_labels_are_counted_among_known_classes_and_others_are_unlabelled() -> None:
    keys = tuple(Key(str(i), 0) for i in range(5))
    batch = Batch(torch.zeros(5, 3, 1, 1), {"label": torch.tensor([3, 1, 0, -1, 2])}, keys)
    assert KNOWN.batch(batch).targets["label"].tolist() == [2, -1, 0, -1, 1]
    assert batch.targets["label"].tolist() == [3, 1, 0, -1, 2]


def test_known_classes_have_names() -> None:
    assert KNOWN.labels(("letter", "form", "memo", "table")) == ("letter", "memo", "table")
