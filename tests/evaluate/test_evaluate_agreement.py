"""Oracles: forwards by hand through the modules, softmax of SciPy, and means over blocks in NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from distildoc.core.model import Model, Normalise, Places
from distildoc.evaluate.agreement import Calibrated, Side, shared_taps, side_by_side
from distildoc.evaluate.agreement import narrowed as narrow
from distildoc.metrics.cka import cka_debiased, gram
from distildoc.models.grids import Grid
from distildoc.schema.errors import InputError, TapError
from distildoc.schema.labels import LabelMap
from distildoc.schema.preprocess import Preprocess
from distildoc.teach.aligned import Aligned
from distildoc.teach.ensemble import Ensemble
from distildoc.teach.live import Live

LABELS = ("letter", "memo", "form")
PREPROCESS = Preprocess(8, 6, grey=True)
TAPS = ("early", "penultimate")


def network(seed: int, *, labels=LABELS, channels=4, penultimate="body", normalise=None) -> Model:
    """Grey: a convolution, a mean over the page, a linear head."""
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Conv2d(1, channels, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return Model(
        body,
        nn.Linear(4 * channels, len(labels)),
        normalise=normalise or Normalise((0.5,), (0.25,)),
        labels=labels,
        places=Places(penultimate, "body.1", ("body.0", "body.1")),
        recipe={"seed": seed},
    ).eval()


@pytest.fixture
def pages(page):
    return [page(number * 7 % 251, LABELS[number % 3]) for number in range(40)]


def pixels(pages) -> torch.Tensor:
    """[N, 3, 8, 6] in 0..1."""
    grey = np.stack([PREPROCESS(one.image()) for one in pages]).transpose(0, 3, 1, 2)
    return torch.from_numpy(grey.astype(np.float32) / 255)


def by_hand(model: Model, pages, temperature: float = 1.0) -> np.ndarray:
    with torch.no_grad():
        return softmax(model(pixels(pages))["logits"].double().numpy() / temperature, axis=1)


def live(model: Model, *, taps=TAPS, temperature=1.0) -> Side:
    return Side(Calibrated(Live(model, taps=taps), temperature), Grid())


def test_both_tables_hold_what_the_networks_say_at_their_temperatures(pages):
    student, teacher = network(0), network(1, channels=6)
    found = side_by_side(live(student, temperature=0.3), live(teacher, temperature=2.0), pages, preprocess=PREPROCESS)
    first, second = found.tables
    assert first.probabilities == pytest.approx(by_hand(student, pages, 0.3), abs=1e-6)
    assert second.probabilities == pytest.approx(by_hand(teacher, pages, 2.0), abs=1e-6)
    assert first.pages == second.pages == tuple(one.id for one in pages)
    assert [LABELS[target] for target in first.targets] == [one.label for one in pages]


def test_classes_of_the_teacher_stand_in_the_order_of_the_student(pages):
    student, teacher = network(0), network(1, labels=("form", "mail", "memo", "note"))
    renamed = LabelMap({"mail": "letter", "note": "memo"})
    side = Side(Aligned(Calibrated(Live(teacher), 1.5), LABELS, renamed), Grid())
    _, table = side_by_side(live(student), side, pages, preprocess=PREPROCESS).tables
    form, mail, memo, note = by_hand(teacher, pages, 1.5).T
    assert table.probabilities == pytest.approx(np.stack([mail, memo + note, form], 1), abs=1e-6)


def test_an_ensemble_is_the_mean_of_its_calibrated_members(pages):
    members = [network(1), network(2, labels=("form", "letter", "memo"))]
    answers = Ensemble([Calibrated(Live(members[0]), 3.0), Calibrated(Live(members[1]), 0.5)])
    found = side_by_side(live(network(0)), Side(answers, Grid()), pages, preprocess=PREPROCESS)
    expected = (by_hand(members[0], pages, 3.0) + by_hand(members[1], pages, 0.5)[:, [1, 2, 0]]) / 2
    assert found.tables[1].probabilities == pytest.approx(expected, abs=1e-6)
    assert found.taps == (TAPS, ())
    assert found.cka.shape == (2, 0)


def test_cka_compares_every_tap_of_one_with_every_tap_of_the_other(pages):
    student, teacher = network(0), network(1, channels=6)
    found = side_by_side(live(student), live(teacher, taps=("late",)), pages, preprocess=PREPROCESS)
    with torch.no_grad():
        inputs = [model.entry(pixels(pages)) for model in (student, teacher)]
        early, body = student.body[0](inputs[0]).flatten(1).numpy(), student.body(inputs[0]).numpy()
        late = teacher.body[:2](inputs[1]).flatten(1).numpy()
    expected = [[cka_debiased(gram(own), gram(late))] for own in (early, body)]
    assert found.taps == (TAPS, ("late",))
    assert found.cka == pytest.approx(np.array(expected), abs=1e-5)


def test_a_network_beside_itself_is_its_twin(pages):
    model = network(0)
    found = side_by_side(live(model), live(model), pages, preprocess=PREPROCESS)
    assert np.diag(found.cka) == pytest.approx(1)
    assert np.array_equal(found.tables[0].probabilities, found.tables[1].probabilities)


def test_a_network_of_another_size_resizes_what_both_see(pages):
    larger = network(1, normalise=Normalise((0.5,), (0.25,), size=(16, 12)))
    found = side_by_side(live(network(0)), live(larger), pages, preprocess=PREPROCESS)
    assert found.tables[1].probabilities == pytest.approx(by_hand(larger, pages), abs=1e-6)


def test_without_outputs_features_are_compared_alone(pages):
    student, teacher = (Side(Live(network(seed), taps=TAPS, outputs=False), Grid()) for seed in (0, 1))
    found = side_by_side(student, teacher, [*pages[:5]], preprocess=PREPROCESS)
    assert found.tables is None
    assert found.cka.shape == (2, 2)
    assert found.pages == 5


def test_unreadable_pages_are_left_out_and_named(page, pages):
    mixed = [*pages[:33], page(252, "memo", broken=True), *pages[33:]]
    found = side_by_side(live(network(0)), live(network(1)), mixed, preprocess=PREPROCESS)
    whole = side_by_side(live(network(0)), live(network(1)), pages, preprocess=PREPROCESS)
    assert [failure.id for failure in found.failed] == ["page252"]
    assert found.pages == 40
    assert found.tables[0].probabilities == pytest.approx(whole.tables[0].probabilities, abs=1e-6)
    assert found.cka == pytest.approx(whole.cka, abs=1e-5)


def test_too_few_pages_for_cka_are_refused(page, pages):
    few = [*pages[:3], page(252, "memo", broken=True)]
    with pytest.raises(InputError, match=r"3 pages can be read and 1 cannot, first .* \(cut short\); at least 4"):
        side_by_side(live(network(0)), live(network(1)), few, preprocess=PREPROCESS)


def test_numbers_that_are_not_finite_name_page_and_model(pages):
    broken = network(1)
    broken.head.bias.data[0] = torch.nan
    with pytest.raises(InputError, match="page 'page0': the teacher gives numbers that are not finite"):
        side_by_side(live(network(0)), live(broken), pages, preprocess=PREPROCESS)
    broken.body[0].bias.data[0] = torch.inf
    with pytest.raises(InputError, match="page 'page0': tap 'early' of the student gives numbers that are not finite"):
        side_by_side(
            Side(Live(broken, taps=TAPS, outputs=False), Grid()), live(network(0)), pages, preprocess=PREPROCESS
        )


def test_a_page_without_class_is_refused(page, pages):
    with pytest.raises(InputError, match="page 'page252' has no label"):
        side_by_side(live(network(0)), live(network(1)), [*pages, page(252)], preprocess=PREPROCESS)


def test_taps_that_one_side_lacks_are_left_out_there():
    classifier, headless = network(0), network(1, penultimate="")
    assert shared_taps(classifier, headless, ("late", "penultimate")) == (("late", "penultimate"), ("late",))
    assert shared_taps(headless, headless, ("late", "penultimate")) == (("late",), ("late",))


def test_a_tap_that_neither_side_has_is_an_error():
    with pytest.raises(TapError, match="no module 'layte' in Sequential; closest: late"):
        shared_taps(network(0), network(1), ("layte",))
    with pytest.raises(TapError, match="tap 'stage:7': the model has 2 stages, 0 to 1"):
        shared_taps(network(0), network(1), ("stage:7",))


def test_narrow_maps_are_flattened_as_they_are():
    feature = torch.arange(24.0).view(2, 3, 2, 2)
    assert torch.equal(narrow(feature), feature.view(2, 12))


def test_wide_maps_are_pooled_to_the_finest_grid_that_fits():
    feature = torch.randn(2, 512, 8, 8, generator=torch.Generator().manual_seed(0))  # 8192 / 512 = 16 cells
    blocks = feature.numpy().reshape(2, 512, 4, 2, 4, 2).mean((3, 5))
    assert narrow(feature).numpy() == pytest.approx(blocks.reshape(2, -1), abs=1e-6)


@pytest.mark.parametrize(
    "shape", [(1, 768, 14, 14), (1, 3, 400, 300), (1, 1, 1, 9000), (1, 5000, 2, 1), (1, 9000, 3, 3)]
)
def test_no_tap_keeps_more_than_its_share(shape):
    kept = narrow(torch.ones(shape, dtype=torch.bfloat16))
    assert 8192 / 3 < kept.shape[1] <= 8192
    assert torch.equal(kept, torch.ones(kept.shape))


def test_a_temperature_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match=r"temperature must be above 0, got 0\.0"):
        Calibrated(Live(network(0)), 0.0)


def test_calibrated_answers_have_a_fingerprint_of_their_own():
    teacher = Live(network(0))
    assert len({Calibrated(teacher, 1.0).fingerprint, Calibrated(teacher, 2.0).fingerprint, teacher.fingerprint}) == 3
