"""teach.check: everything that cannot work is said before the first step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Losses, Needs, Term
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.data.augment import Augmentation
from distildoc.methods import method_module
from distildoc.schema.errors import ConfigError, InputError
from distildoc.teach.check import check_terms, teacher_taps
from distildoc.teach.distiller import Distiller, adapted
from distildoc.teach.ensemble import Experts
from distildoc.teach.known import Known
from distildoc.teach.live import Live


@dataclass(frozen=True)
class Wants:
    """A method that asks for this and that."""

    needs: Needs

    def adapt(self, student: Model) -> Model:
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        return {"rows": student.outputs["logits"].sum(1)}


class Stored:
    """Stands for a cached teacher."""

    fingerprint = "stored"
    live = False
    labels = ("letter", "form", "invoice", "memo")

    def __init__(self, features: tuple[str, ...] = ()) -> None:
        self.features = features

    def __call__(self, batch: Batch) -> View:
        return View({"logits": torch.zeros(len(batch), 4)})


def wanting(pair: Pair, **needs: object) -> Distiller:
    return Distiller(pair.student, [Term("t", Wants(Needs(**needs)), constant(1.0))])  # type: ignore[arg-type]


def built(pair: Pair, name: str, **settings: object) -> Distiller:
    terms = [Term(name, method_module(name).build(pair, **settings), constant(1.0))]
    return Distiller(adapted(pair.student, terms), terms)


def live(pair: Pair, *taps: str) -> Live:
    assert pair.teacher is not None
    return Live(pair.teacher, taps=taps)


def test_a_method_without_its_teacher_is_an_error(pair: Pair) -> None:
    with pytest.raises(ConfigError, match="term 'kd' learns from a teacher, and there is none"):
        check_terms(built(pair, "kd"), None)


def test_labels_alone_need_no_teacher(pair: Pair, batch: Batch) -> None:
    check_terms(built(pair, "supervised"), None, sample=batch)


def test_accumulation_under_a_method_that_couples_the_batch_is_an_error(pair: Pair) -> None:
    distiller = wanting(pair, couples_batch=True)
    check_terms(distiller, live(pair), accumulate=1)
    with pytest.raises(ConfigError, match=r"`train.accumulate` = 4 would change its meaning; set it to 1"):
        check_terms(distiller, live(pair), accumulate=4)


def test_a_batch_of_one_under_a_method_that_couples_the_batch_is_an_error(pair: Pair, batch: Batch) -> None:
    distiller = wanting(pair, couples_batch=True)
    with pytest.raises(ConfigError, match=r"compares the pages of a batch, and batches hold one; raise `train.batch`"):
        check_terms(distiller, live(pair), sample=batch.select(torch.arange(1)))


def test_a_method_that_wants_every_class_refuses_a_teacher_that_lacks_some(pair: Pair) -> None:
    terms = wanting(pair, every_class=True).terms
    distiller = Distiller(pair.student, terms, known=Known((0,)))
    with pytest.raises(ConfigError, match="wants a teacher that knows all classes of the student"):
        check_terms(distiller, live(pair))


def test_a_cache_under_unbounded_augmentation_is_an_error(pair: Pair) -> None:
    distiller = built(pair, "kd")
    check_terms(distiller, Stored(), augmentation=Augmentation(views=2))
    check_terms(distiller, live(pair), augmentation=Augmentation())
    with pytest.raises(ConfigError, match="cannot follow unbounded augmentation"):
        check_terms(distiller, Stored(), augmentation=Augmentation())


def test_a_method_that_runs_the_teacher_cannot_have_a_cached_one(pair: Pair) -> None:
    with pytest.raises(ConfigError, match="which a cache cannot answer"):
        check_terms(wanting(pair, live_teacher=True), Stored())


def test_a_cache_that_lacks_a_feature_is_an_error_that_names_it(pair: Pair) -> None:
    with pytest.raises(ConfigError, match=r"needs the teacher's features \['middle'\], and the cache holds \['map'\]"):
        check_terms(built(pair, "fitnet"), Stored(("map",)))


def test_a_live_teacher_that_lacks_a_feature_is_an_error_that_names_it(pair: Pair) -> None:
    with pytest.raises(ConfigError, match=r"needs the features \['middle'\] of one teacher"):
        check_terms(built(pair, "fitnet"), live(pair))


def test_the_number_of_experts_must_be_the_one_asked_for(pair: Pair) -> None:
    experts = Experts([live(pair), live(pair)])
    with pytest.raises(ConfigError, match="term 't' wants 3 teachers as experts, and the run has 2"):
        check_terms(wanting(pair, experts=3), experts)
    with pytest.raises(
        ConfigError, match="term 'kd' learns from one teacher, and the run keeps 2 apart; drop `teacher"
    ):
        check_terms(built(pair, "kd"), experts)


def test_other_classes_are_an_error_that_names_them(pair: Pair) -> None:
    teacher = live(pair)
    teacher.labels = ("letter", "form", "invoice", "poster")
    with pytest.raises(InputError, match=r"only the student has \['memo'\]"):
        check_terms(built(pair, "kd"), teacher)


def test_classes_in_another_order_are_an_error_that_names_the_remedy(pair: Pair) -> None:
    teacher = live(pair)
    teacher.labels = teacher.labels[::-1]
    with pytest.raises(ConfigError, match="wrap the teacher in `Aligned"):
        check_terms(built(pair, "kd"), teacher)


def test_other_classes_do_not_matter_where_only_features_are_compared(pair: Pair) -> None:
    teacher = live(pair, "map", "middle")
    teacher.labels = ("cat", "dog")
    check_terms(built(pair, "fitnet"), teacher)
    check_terms(built(pair, "encoder_hint"), teacher)


def test_shapes_that_do_not_fit_are_an_error_that_names_the_term(pair: Pair, batch: Batch) -> None:
    distiller = built(pair, "simkd", projector="mlp")
    method = distiller.terms[0].method
    assert teacher_taps(distiller.terms) == ("penultimate",)
    changed = replace(method, vector="map")  # type: ignore[type-var]
    distiller.terms = (Term("simkd", changed, constant(1.0)),)
    with pytest.raises(ConfigError, match=r"term 'simkd' does not fit .* teacher gives \(4, 48, 2, 2\)"):
        check_terms(distiller, live(pair, "map"), sample=batch)


def test_a_method_that_forgets_its_mean_is_found(pair: Pair, batch: Batch) -> None:
    with pytest.raises(ConfigError, match=r"its loss 'rows' has shape \(4,\)"):
        check_terms(wanting(pair), live(pair), sample=batch)


def test_checking_leaves_no_trace(pair: Pair, batch: Batch) -> None:
    distiller = built(pair, "fitnet")
    distiller.train()
    before = {name: value.clone() for name, value in distiller.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    check_terms(distiller, live(pair, "middle"), sample=batch)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[name]) for name, value in distiller.state_dict().items())
    assert all(module.training for module in distiller.modules())
    assert all(p.grad is None for p in distiller.parameters())
