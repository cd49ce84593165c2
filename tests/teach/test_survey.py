"""Methods that look at all pages first, follow the clock, or finish the student."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock, constant
from distildoc.core.method import Losses, Needs, Seen, Term
from distildoc.core.model import Model
from distildoc.core.view import View, one, several
from distildoc.models.build import build_model
from distildoc.schema.errors import ConfigError
from distildoc.teach.check import check_terms
from distildoc.teach.distiller import Distiller
from distildoc.teach.known import Known
from distildoc.teach.live import Live
from distildoc.teach.survey import survey

LABELS = ("a", "b", "c")
CLOCK = Clock(3, 10, 1.5)


@dataclass
class Looking:
    """Compares the student with the mean of the teacher's logits over all pages; doubles the student at the end."""

    needs: ClassVar[Needs] = Needs()
    seen: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    mean: torch.Tensor | None = None

    def adapt(self, student: Model) -> Model:
        return student

    def survey(self, pages: Iterable[Seen]) -> None:
        logits = []
        for batch, view in pages:
            self.seen += [key.page for key in batch.keys]
            logits.append(one(view).outputs["logits"])
        self.mean = torch.cat(logits).mean(0)

    def pace(self, clock: Clock) -> None:
        self.times.append(clock.epoch)

    def finish(self, student: Model) -> Model:
        assert isinstance(student.head, nn.Linear)
        with torch.no_grad():
            student.head.weight.mul_(2)
            student.head.bias.mul_(2)
        return student

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        assert self.mean is not None
        return {"off": (student.outputs["logits"] - self.mean).square().mean()}


def batches(count: int = 7) -> list[Batch]:
    pixels = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    whole = Batch(pixels, {"label": torch.arange(count) % 3}, tuple(Key(f"p{i}", 0) for i in range(count)))
    return [whole.select(rows) for rows in torch.arange(count).split(3)]


@pytest.fixture
def parts() -> tuple[Distiller, Live, Looking]:
    method = Looking()
    student, teacher = (build_model("cnn-micro", labels=LABELS, size=(32, 32), seed=seed) for seed in (0, 1))
    return Distiller(student, [Term("look", method, constant(1.0))]), Live(teacher), method


def test_every_page_is_seen_once_and_counted(parts: tuple[Distiller, Live, Looking]) -> None:
    distiller, teacher, method = parts
    counted: list[tuple[int, int]] = []
    survey(distiller, teacher, batches, count=7, progress=lambda done, count: counted.append((done, count)))
    assert method.seen == [f"p{i}" for i in range(7)]
    assert counted == [(3, 7), (6, 7), (7, 7)]
    wanted = torch.cat([teacher(batch).outputs["logits"] for batch in batches()]).mean(0)
    torch.testing.assert_close(method.mean, wanted)


def test_a_method_that_needs_every_view_sees_them_and_another_the_first_alone() -> None:
    class Viewing(Looking):
        needs: ClassVar[Needs] = Needs(every_view=True)

    def views() -> Iterator[Batch]:
        for batch in batches():
            for view in (1, 2):
                yield replace(batch, keys=tuple(Key(key.page, view) for key in batch.keys))

    first, every = Looking(), Viewing()
    student, teacher = (build_model("cnn-micro", labels=LABELS, size=(32, 32), seed=seed) for seed in (0, 1))
    distiller = Distiller(student, [Term("first", first, constant(1.0)), Term("every", every, constant(1.0))])
    counted: list[int] = []
    survey(distiller, Live(teacher), batches, count=7, views=views, progress=lambda done, _: counted.append(done))
    assert Counter(first.seen) == {f"p{i}": 1 for i in range(7)}
    assert Counter(every.seen) == {f"p{i}": 2 for i in range(7)}
    assert counted == [3, 6, 7, 10, 10, 13, 13, 14, 14]


def test_a_method_is_not_tried_before_its_survey(parts: tuple[Distiller, Live, Looking]) -> None:
    distiller, teacher, method = parts
    check_terms(distiller, teacher, sample=batches()[0])
    assert method.mean is None


def test_a_misfit_is_found_right_after_the_survey(parts: tuple[Distiller, Live, Looking]) -> None:
    distiller, teacher, _ = parts
    wide = build_model("cnn-micro", labels=(*LABELS, "d"), size=(32, 32))
    with pytest.raises(ConfigError, match="term 'look' does not fit"):
        survey(distiller, Live(wide), batches, count=7)
    assert teacher.labels == LABELS


def test_the_clock_comes_before_the_forward(parts: tuple[Distiller, Live, Looking]) -> None:
    distiller, teacher, method = parts
    survey(distiller, teacher, batches, count=7)
    method.times.clear()
    distiller(batches()[0], teacher(batches()[0]), CLOCK)
    assert method.times == [1.5]


def test_a_finished_student_is_what_is_released(parts: tuple[Distiller, Live, Looking]) -> None:
    distiller, *_ = parts
    pixels = batches()[0].inputs
    distiller.eval()
    with torch.no_grad():
        before = distiller.student(pixels)["logits"]
        torch.testing.assert_close(distiller.release()(pixels)["logits"], 2 * before)


def test_several_gives_the_views_of_one_teacher_and_of_many() -> None:
    view = View({"logits": torch.zeros(1, 2)})
    assert several(view) == (view,)
    assert several([view, replace(view)]) == (view, view)


def test_a_survey_of_the_teachers_answers_has_labels_counted_among_the_classes_it_knows() -> None:
    seen: list[int] = []

    class Counting(Looking):
        def survey(self, pages: Iterable[Seen]) -> None:
            for batch, view in pages:
                seen.extend(batch.targets["label"].tolist())
                assert one(view).outputs["logits"].shape[1] == 2
            self.mean = torch.zeros(2)

    student = build_model("cnn-micro", labels=LABELS, size=(32, 32), seed=0)
    teacher = build_model("cnn-micro", labels=LABELS[1:], size=(32, 32), seed=1)
    distiller = Distiller(student, [Term("look", Counting(), constant(1.0))], known=Known((1, 2)))
    survey(distiller, Live(teacher), batches, count=7)
    assert seen == [-1, 0, 1, -1, 0, 1, -1]


def test_what_breaks_a_survey_is_told_in_a_line(parts: tuple[Distiller, Live, Looking]) -> None:
    distiller, teacher, method = parts

    def broken(pages: Iterable[Seen]) -> None:
        raise RuntimeError("index 2 is\nout of bounds")

    method.survey = broken  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="term 'look' cannot survey these pages: index 2 is out of bounds"):
        survey(distiller, teacher, batches, count=7)
