"""teach.ensemble and teach.aligned against SciPy and by construction."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import softmax

from distildoc.core.batch import Batch
from distildoc.core.model import Model
from distildoc.core.teacher import Teacher
from distildoc.core.view import View
from distildoc.models.build import build_model
from distildoc.schema.errors import ConfigError, InputError
from distildoc.teach.aligned import Aligned
from distildoc.teach.ensemble import Ensemble, Experts
from distildoc.teach.live import Live

LABELS = ("letter", "form", "invoice", "memo")


class Says:
    """A teacher that always says the same."""

    fingerprint = "says"
    live = True
    features: tuple[str, ...] = ()

    def __init__(self, logits: torch.Tensor, labels: tuple[str, ...] = LABELS) -> None:
        self.logits = logits
        self.labels = labels

    def __call__(self, batch: Batch) -> View:
        return View({"logits": self.logits}, again=lambda pixels: View({"logits": self.logits * pixels.sum()}))


def noise(seed: int) -> torch.Tensor:
    return 3 * torch.randn(4, 4, generator=torch.Generator().manual_seed(seed))


def test_probabilities_are_the_mean_of_the_members(batch: Batch) -> None:
    members = [noise(seed) for seed in range(3)]
    logits = Ensemble([Says(scores) for scores in members])(batch).outputs["logits"]
    expected = np.mean([softmax(scores.double().numpy(), -1) for scores in members], axis=0)
    np.testing.assert_allclose(softmax(logits.double().numpy(), -1), expected, rtol=1e-5)


def test_one_member_keeps_its_probabilities(batch: Batch) -> None:
    logits = Ensemble([Says(noise(0))])(batch).outputs["logits"]
    torch.testing.assert_close(logits, noise(0).log_softmax(-1))


def test_members_that_disagree_at_extreme_scores_stay_finite(batch: Batch) -> None:
    sure = 1e4 * torch.eye(4)
    logits = Ensemble([Says(sure), Says(sure.flip(1))])(batch).outputs["logits"]
    assert torch.isfinite(logits).all()
    np.testing.assert_allclose(logits.softmax(-1)[0].numpy(), [0.5, 0, 0, 0.5], atol=1e-6)


def test_members_with_classes_in_another_order_are_aligned(batch: Batch) -> None:
    reversed_member = Says(noise(0).flip(1), LABELS[::-1])
    logits = Ensemble([Says(noise(0)), reversed_member])(batch).outputs["logits"]
    torch.testing.assert_close(logits, noise(0).log_softmax(-1))


def test_members_with_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"only the teacher has \['poster'\]"):
        Ensemble([Says(noise(0)), Says(noise(1), (*LABELS[:3], "poster"))])


def test_members_with_features_are_refused(model_of: Callable[[int], Model]) -> None:
    with pytest.raises(ConfigError, match=r"an ensemble has no features of its own, but member 1 taps \['map'\]"):
        Ensemble([Live(model_of(0)), Live(model_of(1), taps=("map",))])


def test_no_members_is_an_error() -> None:
    with pytest.raises(ConfigError, match="at least one teacher"):
        Ensemble([])


def test_fingerprint_depends_on_every_member(model_of: Callable[[int], Model]) -> None:
    a, b, c = (Live(model_of(seed)) for seed in range(3))
    prints = {Ensemble(members).fingerprint for members in ([a, b], [a, c], [a], [b, a])}
    assert len(prints) == 4


def test_experts_keep_their_views_apart(batch: Batch) -> None:
    views = Experts([Says(noise(0)), Says(noise(1).flip(1), LABELS[::-1])])(batch)
    assert [torch.equal(view.outputs["logits"], noise(seed)) for seed, view in enumerate(views)] == [True, True]


def test_ensemble_and_aligned_are_teachers(model_of: Callable[[int], Model]) -> None:
    assert isinstance(Ensemble([Live(model_of(0))]), Teacher)
    assert isinstance(Aligned(Live(model_of(0)), LABELS), Teacher)


def test_aligned_puts_columns_in_the_students_order(batch: Batch) -> None:
    model = build_model("cnn-micro", labels=LABELS[::-1], size=(32, 32), channels=1)
    view = Aligned(Live(model), LABELS)(batch)
    assert torch.equal(view.outputs["logits"], Live(model)(batch).outputs["logits"].flip(1))


def test_aligned_holds_for_other_pixels_too(batch: Batch) -> None:
    view = Aligned(Says(noise(0), LABELS[::-1]), LABELS)(batch)
    assert view.again is not None
    assert torch.equal(view.again(torch.ones(2)).outputs["logits"], 2 * noise(0).flip(1))


def test_aligned_permutes_the_last_axis_where_a_page_has_several_rows_of_scores(batch: Batch) -> None:
    scores = torch.arange(12, dtype=torch.float32).reshape(1, 3, 4)  # one page, three queries, four classes
    view = Aligned(Says(scores), LABELS[::-1])(batch)
    assert view.outputs["logits"].tolist() == [[[3, 2, 1, 0], [7, 6, 5, 4], [11, 10, 9, 8]]]


def test_aligned_leaves_the_same_order_alone(batch: Batch) -> None:
    logits = noise(0)
    assert Aligned(Says(logits), LABELS)(batch).outputs["logits"] is logits


def test_an_ensemble_runs_again_on_other_pixels_as_the_mean_of_its_members() -> None:
    first, second = noise(0), noise(1)
    batch = Batch(torch.zeros(4, 3, 2, 2), {}, ())
    again = Ensemble([Says(first), Says(second)])(batch).again
    assert again is not None
    found = softmax(again(torch.full((1,), 2.0)).outputs["logits"].numpy(), axis=1)
    expected = (softmax(2 * first.numpy(), axis=1) + softmax(2 * second.numpy(), axis=1)) / 2
    assert np.allclose(found, expected, atol=1e-6)
