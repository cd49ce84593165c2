"""SimKD: learn the teacher's last features, and reuse its classifier.

    L = mean_pages mean ( P(F_s) - F_t )^2        student at inference: W_t( pool( P(F_s) ) )

Paper: Chen et al. 2022, arXiv:2203.14001, section 3. The student's own head is replaced by the projector P and the
teacher's classifier W_t, a frozen copy with classes in the student's order; both are saved and exported with it.
Labels are not used; add the term `supervised` to use them. Projectors, as in DistilDoc (arXiv:2406.08226):

  none  P is the identity on the vectors that the heads read; their widths must be equal.
  mlp   vectors through s -> s/2 -> s/2 -> t with ReLU between ("CLS+MLP").
  cnn   the last maps through 1x1, 3x3, 1x1 convolutions with batch norm; tokens are laid out on the page.

We differ where the published forms cannot work. `last: linear` (default) leaves out the final ReLU, which cannot reach
negative features; `last: relu` is the original, exact for a teacher whose features passed a ReLU (ResNets). A ViT's
head reads the CLS token and others read a normalised mean, not the mean of the map: with `centre: head` (default) the
teacher's map is shifted so that its mean over the page is the vector its head reads, and a student that learns it
gives the teacher's logits; `centre: map` keeps the map, as the paper does. For a teacher whose head reads the mean
of its last map both are the same. Maps of two sizes meet at the smaller (averaged down in the loss, not in the
student). With `cnn` the student's `penultimate` becomes the pooled projection, of the teacher's width.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View, one
from distildoc.losses.features import mse, same_grid
from distildoc.losses.precision import full
from distildoc.models.bodies import map_body
from distildoc.models.grids import Grid, grid_of
from distildoc.models.heads import classifier_of, linear_spec, projected_head, reordered
from distildoc.schema.errors import ConfigError
from distildoc.schema.labels import align

KIND: Kind = "features"
PAPER = Paper("Chen et al.", 2022, "2203.14001", "Knowledge Distillation with the Reused Teacher Classifier")

PROJECTED = "head.projector"  # tap of the student's projection
Spec = dict[str, object]


@dataclass(frozen=True)
class SimKD:
    """projector   description of P.
    classifier  W_t, its classes in the student's order.
    vector      teacher's tap of the vector that W_t reads; None: the map is taken as it is.
    grid        of the teacher, where maps are compared; None: vectors are.
    """

    projector: Spec
    classifier: nn.Linear
    vector: str | None
    grid: Grid | None

    @property
    def needs(self) -> Needs:
        taps = (("map",) if self.grid else ()) + ((self.vector,) if self.vector else ())
        return Needs(student_taps=(PROJECTED,), teacher_taps=taps, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        """A model that shares the student's body; the head is new."""
        spec: Spec = {"kind": "projected", "projector": self.projector, "classifier": linear_spec(self.classifier)}
        head = projected_head(self.projector, linear_spec(self.classifier))
        head.classifier = deepcopy(self.classifier).requires_grad_(False)
        head.to(next(student.parameters()).device)
        body, places, recipe = student.body, student.places, {**student.recipe, "head": spec}
        if self.grid is not None:
            body, places = map_body(student), replace(places, penultimate="head.pool")
            recipe["body"] = "map"
        normalise, labels = student.normalise, student.labels
        return Model(body, head, normalise=normalise, labels=labels, places=places, recipe=recipe)

    def __call__(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        found, features = student.features[PROJECTED], one(teacher).features
        if self.grid is None:
            assert self.vector is not None
            return {"mse": mse(features[self.vector], found).mean()}
        wanted, found = same_grid(self.grid(features["map"]), found)
        if self.vector is not None:
            wanted = _centred(wanted, features[self.vector])
        return {"mse": mse(wanted, found).mean()}


def build(
    pair: Pair,
    *,
    projector: Literal["none", "mlp", "cnn"] = "cnn",
    last: Literal["linear", "relu"] = "linear",
    centre: Literal["head", "map"] = "head",
    factor: PositiveInt = 2,
) -> Method:
    """factor: how much narrower than the teacher the cnn projector is inside; last, centre: see the module."""
    teacher = pair.require_teacher("simkd")
    linear, vector = classifier_of(teacher)
    classifier = reordered(linear, align(teacher.labels, pair.student.labels))
    spec: Spec = {"kind": projector, "last": last, "target": classifier.in_features}
    if projector != "cnn":
        spec["source"] = source = pair.student_shape("penultimate")[0]
        if projector == "none" and source != classifier.in_features:
            raise ConfigError(
                f"simkd without a projector needs equal widths: the student's head reads {source} features and the "
                f"teacher's {classifier.in_features}; set `projector` to mlp or cnn"
            )
        return SimKD(spec, classifier, vector, None)
    grid = grid_of(teacher, pair.size)
    if grid.texts:
        raise ConfigError("simkd: the cnn projector is for maps, and this run reads texts; set `projector: mlp`")
    width = grid.shape(pair.teacher_shape("map", "simkd"))[0]
    if width != classifier.in_features:
        raise ConfigError(
            f"simkd with projector cnn: the teacher's last map has {width} channels, but its classifier reads "
            f"{classifier.in_features} features; set `projector` to mlp"
        )
    spec["source"] = grid_of(pair.student, pair.size).shape(pair.student_shape("map"))[0]
    spec["factor"] = factor
    return SimKD(spec, classifier, vector if centre == "head" else None, grid)


def _centred(feature: Tensor, mean: Tensor) -> Tensor:
    """The map [B, C, H, W] shifted, in full precision, so that its mean over the page is `mean` [B, C]."""
    feature, mean = full(feature), full(mean)
    return feature + (mean - feature.mean((2, 3)))[:, :, None, None]
