"""LELP: split each class into soft sub-classes that the teacher's embeddings suggest, and teach those.

    L = - mean_pages sum_{c,s} pi[c,s] log softmax(g)[c,s]
    pi[c,s] = softmax(z_t / tau)[c] softmax(a[c] / beta)[s]        a[c,s] = u[c,s] . (P h - mu[c]) / sd[c]

h is the teacher's vector before its classifier W. Once, on all training pages: P takes out what W shows already (the
row space of W minus its mean over classes); for each class, mu[c] is the mean of P h over its pages, and its S
directions u[c] are the principal ones, turned by a random rotation so that none has more variance than another on
average; sd[c] is their pooled deviation. With few classes that says more of a page than their probabilities do. The
student's head gives S logits a class, and folds them itself, at inference and in its bundle.

Paper: Loo, Iliopoulos, Hu, Vee 2024, arXiv:2409.20449. We know it second-hand: P, PCA by class, rotation, targets and
loss are the paper's; that scores are divided by sd[c], whose pages a class's are (`assign`) and all defaults are ours.
The paper trains without labels; add the term `supervised`, which sees the folded logits, to use them. The loss is a
cross-entropy without a factor of tau^2, and not 0 at agreement.

A class of n pages has at most n - 1 directions; where that, or the teacher's width, is less than S, the variance that
is there is turned into all S, and a class without any is shared evenly. Controls: `directions: random` takes random
directions orthogonal to W instead of principal ones, `random_subclass` gives each page fixed sub-classes that have
nothing to do with its embedding (a[c,s] normal). With unlimited augmentation the survey sees pages as they are. The
survey holds C covariances of D x D numbers.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper, Seen
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.subclasses import cross_entropy, log_shares
from distildoc.losses.subspaces import unseen_by
from distildoc.models.heads import build_head, classifier_of
from distildoc.models.subclasses import Moments, Subclasses, subclasses_of

KIND: Kind = "logits"
PAPER = Paper(
    "Loo, Iliopoulos, Hu, Vee",
    2024,
    "2409.20449",
    "Linear Projections of Teacher Embeddings for Few-Class Distillation",
)
SUBCLASSES = "head.subclasses"  # tap of the student's logits before they are folded

Directions = Literal["pca", "random", "random_subclass"]


@dataclass
class Lelp:
    """classes, count  C and S.
    width        of what the student's head reads.
    tap          the teacher's vector h.
    unseen       P.
    temperature, within  tau and beta.
    subclasses   what the survey found.
    """

    classes: int
    count: int
    width: int
    tap: str
    unseen: Tensor
    temperature: float
    within: float
    assign: Literal["teacher", "label"]
    directions: Directions
    seed: int
    subclasses: Subclasses | None = None

    @property
    def needs(self) -> Needs:
        return Needs(student_taps=(SUBCLASSES,), teacher_taps=(self.tap,), every_class=True)

    def adapt(self, student: Model) -> Model:
        """A model that shares the student's body; the head is new."""
        spec = {"kind": "subclass", "features": self.width, "classes": self.classes, "subclasses": self.count}
        head = build_head(spec).to(next(student.parameters()).device)
        recipe = {**student.recipe, "head": spec}
        normalise, labels, places = student.normalise, student.labels, student.places
        return Model(student.body, head, normalise=normalise, labels=labels, places=places, recipe=recipe)

    def survey(self, pages: Iterable[Seen]) -> None:
        if self.directions == "random_subclass":
            return
        moments = Moments(self.classes, len(self.unseen))
        for batch, views in pages:
            teacher = one(views)
            found = teacher.outputs["logits"].argmax(1)
            moments.add(teacher.features[self.tap], found if self.assign == "teacher" else batch.targets["label"])
        generator = torch.Generator().manual_seed(self.seed)
        random = self.directions == "random"
        self.subclasses = subclasses_of(moments, self.unseen, self.count, random=random, generator=generator)

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        view = one(teacher)
        scores = self.scores(view.features[self.tap], batch.keys)
        target = log_shares(view.outputs["logits"], scores, temperature=self.temperature, within=self.within)
        found = student.features[SUBCLASSES].view(-1, self.classes, self.count)
        return {"subclasses": cross_entropy(target, found).mean()}

    def scores(self, embeddings: Tensor, keys: Sequence[Key]) -> Tensor:
        """a [B, C, S]."""
        if self.directions == "random_subclass":
            drawn = [_normal(self.classes * self.count, seed=self.seed, page=key.page) for key in keys]
            return torch.stack(drawn).view(-1, self.classes, self.count).to(embeddings.device)
        if self.subclasses is None:
            raise RuntimeError("lelp has not seen the training pages; call `survey` before the first step")
        return self.subclasses.scores(embeddings)


def _normal(size: int, *, seed: int, page: str) -> Tensor:
    """Normal numbers that are a function of seed and page, the same for all views of it."""
    digest = hashlib.blake2b(f"{seed}\0{page}".encode(errors="surrogateescape"), digest_size=8).digest()
    return torch.randn(size, generator=torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1))


def build(
    pair: Pair,
    *,
    subclasses: PositiveInt = 8,
    temperature: PositiveFloat = 1.0,
    within: PositiveFloat = 0.5,
    null_space: bool = True,
    assign: Literal["teacher", "label"] = "teacher",
    directions: Directions = "pca",
    seed: NonNegativeInt = 0,
) -> Method:
    """subclasses: S, of each class. temperature: tau, of the classes. within: beta, the temperature of a class's
    sub-classes, in deviations of their scores; small makes them hard. null_space: take out what the classifier shows.
    assign: whose pages a class's directions come from, by the teacher's first choice or by label. directions: pca, or a
    control. seed: of rotations and controls.
    """
    classifier, tap = classifier_of(pair.require_teacher("lelp"))
    weight = classifier.weight.detach().double().cpu()
    unseen = unseen_by(weight) if null_space else torch.eye(weight.shape[1], dtype=torch.float64)
    return Lelp(
        classes=len(pair.student.labels),
        count=subclasses,
        width=pair.student_shape("penultimate")[0],
        tap=tap,
        unseen=unseen,
        temperature=temperature,
        within=within,
        assign=assign,
        directions=directions,
        seed=seed,
    )
