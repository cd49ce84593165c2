"""Every method of classifiers on texts: it works, or says before the first step why it does not.

A new method is tested here by being listed; one that cannot do with texts also has its words in REFUSED or PIXELS.
"""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from cases import CLASSIFIERS_METHODS, VARIANTS, Case, Setup, check_works, setup_of, texts

from distildoc.core.batch import Batch, Key
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.methods import method_module
from distildoc.models.load import load_model, save_model
from distildoc.models.text.build import build_text_model
from distildoc.schema.errors import ConfigError
from distildoc.schema.texts import texts_of
from distildoc.tasks.classification import classification
from distildoc.teach.check import check_terms

LABELS = ("letter", "form", "invoice", "memo", "table")
STUDENTS = ("text-mean", "bert-micro")
MAPS = "maps and patches are of pages, and this run reads texts; name a tap of vectors, as `penultimate`, or choose"
REFUSED = {  # when they are built, so that a cache is refused too
    "fitnet": MAPS,
    "flow": MAPS,
    "simkd": "the cnn projector is for maps, and this run reads texts; set `projector: mlp`",
    "reviewkd": MAPS,
    "encoder_hint": MAPS,
    "masked_image": "masked_image hides parts of pages, and this run reads texts; choose another method",
    "diffkd": MAPS,
    "gates": "has none; take the model `hme`, which reads pages",
    "attention": MAPS,
    "fsp": MAPS,
    "sp": MAPS,
}
PIXELS = {  # by the check of the terms
    name: f"term '{name}' moves or hides pixels, and this run reads texts; choose another method"
    for name in ("adversarial", "kdiga", "bss")
}
VECTOR = {"student_tap": "penultimate", "teacher_tap": "penultimate"}
VECTORS = {"student_taps": ("penultimate",), "teacher_taps": ("penultimate",)}
WAYS_OUT = {  # what those that are refused can do all the same
    "fitnet, vectors": Setup("fitnet", VECTOR),
    "flow, vectors": Setup("flow", VECTORS),
    "simkd, mlp": Setup("simkd", {"projector": "mlp"}),
    "encoder_hint, vectors": Setup("encoder_hint", VECTOR),
    "diffkd, vectors": Setup("diffkd", {"spots": ("penultimate", "logits")}),
    "sp, vectors": Setup("sp", VECTOR),
}
OF_SEVERAL = [name for name, setup in VARIANTS.items() if setup.experts > 1]
WORKING = [name for name in CLASSIFIERS_METHODS if name not in REFUSED | PIXELS]
PairOf = Callable[[str], Pair]


@pytest.fixture(scope="module")
def readers() -> dict[str, Model]:
    def built(name: str, seed: int, **settings: object) -> Model:
        words = texts_of(texts(12).numpy())
        return build_text_model(
            name, labels=LABELS, texts=lambda: words, seed=seed, vocabulary=280, tokens=12, width=16, **settings
        )

    return {
        "text-mean": built("text-mean", 0, hidden=12),
        "bert-micro": built("bert-micro", 0),
        "teacher": built("bert-micro", 1),
    }


@pytest.fixture
def pair_of(readers: dict[str, Model]) -> PairOf:
    """A student of that name, and a BERT to teach it."""

    def make(name: str) -> Pair:
        teacher = deepcopy(readers["teacher"]).eval()
        return Pair(deepcopy(readers[name]), teacher, classification(LABELS), (32, 32))

    return make


@pytest.fixture
def batch() -> Batch:
    """Six of the texts that are surveyed, the last without a label here."""
    label = torch.tensor([0, 1, 2, 3, 4, -1])
    return Batch(texts(6), {"label": label}, tuple(Key(f"page{i}", 0) for i in range(6)))


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("name", [*WORKING, *OF_SEVERAL])
def test_gives_finite_scalars_and_a_gradient_into_the_student_alone(
    name: str, student: str, pair_of: PairOf, batch: Batch
) -> None:
    check_works(Case(name, pair_of(student)), batch)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("name", WAYS_OUT)
def test_compares_vectors_where_it_is_told_to(
    name: str, student: str, pair_of: PairOf, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VARIANTS, name, WAYS_OUT[name])
    check_works(Case(name, pair_of(student)), batch)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_when_it_is_built(name: str, student: str, pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=re.escape(REFUSED[name])) as caught:
        method_module(name).build(pair_of(student), **setup_of(name).settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("name", PIXELS)
def test_is_refused_by_the_check(name: str, student: str, pair_of: PairOf, batch: Batch) -> None:
    case = Case(name, pair_of(student))
    with pytest.raises(ConfigError, match=PIXELS[name]):
        check_terms(case.distiller, case.teacher, sample=batch)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("name", WORKING)
def test_the_trained_student_is_saved_whole(
    name: str, student: str, pair_of: PairOf, batch: Batch, tmp_path: Path
) -> None:
    case = Case(name, pair_of(student))
    case(batch)[0].backward()
    released = case.distiller.release().eval()
    save_model(released, tmp_path / "model")
    with torch.no_grad():
        expected, found = (model(batch.inputs)["logits"] for model in (released, load_model(tmp_path / "model")))
    assert torch.equal(found, expected)


def test_the_tables_name_methods_of_classifiers_and_each_way_out_one_that_is_refused() -> None:
    assert set(CLASSIFIERS_METHODS) >= set(REFUSED) | set(PIXELS)
    assert {setup.method for setup in WAYS_OUT.values()} <= set(REFUSED)
    assert len(WORKING) >= 14
