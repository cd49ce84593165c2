"""Method: one published distillation idea, and what it needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock, Schedule
from distildoc.core.model import Model
from distildoc.core.view import View

Losses = Mapping[str, Tensor]
Seen = tuple[Batch, View | Sequence[View]]  # some pages, and what the teacher says of them
Kind = Literal[
    "labels", "logits", "features", "relations", "gradients", "pixels", "peers", "structure"
]  # what a method compares


@dataclass(frozen=True)
class Paper:
    """Where an idea was published; `arxiv` is the number, as in 1503.02531, or "" for a paper known by its DOI."""

    authors: str
    year: int
    arxiv: str
    title: str
    doi: str = ""

    def __str__(self) -> str:
        return f"{self.authors} {self.year}, {self.number}"

    @property
    def number(self) -> str:
        return f"arXiv:{self.arxiv}" if self.arxiv else f"doi:{self.doi}"

    @property
    def url(self) -> str:
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else f"https://doi.org/{self.doi}"


@dataclass(frozen=True)
class Needs:
    """What a method asks for; compared with what is there before the first step.

    student_taps, teacher_taps  features to capture (alias or module path).
    teacher                     False for methods that learn from labels alone.
    teacher_outputs             False where only features of the teacher are compared, so its forward may stop early.
    couples_batch               compares pages of a batch with each other, or chooses among them: accumulation would
                                change the loss.
    live_teacher                runs the teacher again at every step: a cache cannot serve it.
    input_gradients             differentiates the student with respect to the pixels.
    own_pixels                  runs the student on pixels of its own making.
    every_class                 cannot do with a teacher that lacks some of the student's classes.
    every_view                  surveys all views of a page where these are bounded, not the first alone.
    experts                     how many teachers it wants as a sequence; 1 means one View. A method that takes any
                                number asks for `Pair.experts`.
    """

    student_taps: tuple[str, ...] = ()
    teacher_taps: tuple[str, ...] = ()
    teacher: bool = True
    teacher_outputs: bool = True
    couples_batch: bool = False
    live_teacher: bool = False
    input_gradients: bool = False
    own_pixels: bool = False
    every_class: bool = False
    every_view: bool = False
    experts: int = 1

    @property
    def reads_outputs(self) -> bool:
        """Whether it compares what the teacher says, so that its classes must be the student's."""
        return self.teacher and self.teacher_outputs


@runtime_checkable
class Method(Protocol):
    """Compares the student's View with the teacher's and returns named scalar losses, unweighted.

    A method that learns something of its own is also an nn.Module; what it holds is trained with the
    student and left behind at export. `adapt` may change the student's head: that part is exported.
    """

    @property
    def needs(self) -> Needs: ...

    def adapt(self, student: Model) -> Model:
        """The student to train; return it unchanged unless the method operates on its head or graph."""
        ...

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses: ...


@runtime_checkable
class Relabels(Protocol):
    """A Method that changes the targets of a batch before the student sees it, e.g. with the teacher's boxes."""

    def relabel(self, batch: Batch, teacher: View | Sequence[View]) -> Batch: ...


@runtime_checkable
class Surveys(Protocol):
    """A Method that looks at every training page once before the first step, e.g. for directions in embeddings.

    What it finds is a function of pages, teacher and initial student, so that a run that goes on finds it again: it
    surveys before it reads its checkpoint. Pages come as they are, or in their first view where a cache holds nothing
    else, or in all of these with `Needs.every_view`; they can be gone through once.
    """

    def survey(self, pages: Iterable[Seen]) -> None: ...


@runtime_checkable
class Paces(Protocol):
    """A Method that sets something inside the student by the time, before its forward, e.g. how sharp its gates are."""

    def pace(self, clock: Clock) -> None: ...


@runtime_checkable
class Inside(Protocol):
    """A Method that holds parts of the student that it adapted, e.g. gates whose sharpness it sets."""

    @property
    def inside(self) -> Sequence[nn.Module]: ...


@runtime_checkable
class Finishes(Protocol):
    """A Method whose trained student becomes a simpler one: scales folded into weights, one branch of several.

    The new student says what the old one said in evaluation mode, unless the method says otherwise.
    """

    def finish(self, student: Model) -> Model: ...


@dataclass(frozen=True)
class Term:
    """A method with its name in the records and its weight over time; weights live here and nowhere else."""

    name: str
    method: Method
    weight: Schedule
