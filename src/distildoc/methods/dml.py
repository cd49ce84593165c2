"""Deep mutual learning: two networks learn side by side, each from the labels and from what the other one says.

    L = KL( p_peer || p ) + [ loss(peer, label) + KL( p || p_peer ) ]        means over pages; targets are constants

The first part trains the student and is called `mimicry`, the second trains the peer. The student's own labels are the
term `supervised`, as beside every other method, with weight 1 in the paper.

Paper: Zhang et al. 2018, arXiv:1706.00384, section 2.2, a cohort of two. The peer is a network of the student's make
with initial weights of its own; it sees the same pages, is trained along and left behind. There is no teacher. We
differ: both networks move in the same step, while the paper updates them in turn, each after a new forward of the
other; and a student that starts from trained weights has a peer that does not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from distildoc.core.batch import Batch
from distildoc.core.clock import Clock
from distildoc.core.method import Kind, Losses, Method, Needs, Paper
from distildoc.core.model import Model
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.losses.logits import kl_from_logits
from distildoc.losses.precision import full
from distildoc.models.heads import build_head
from distildoc.models.load import any_body

KIND: Kind = "peers"
PAPER = Paper("Zhang et al.", 2018, "1706.00384", "Deep Mutual Learning")


class MutualLearning(nn.Module):
    """The peer; `labels` is the task's own loss."""

    def __init__(self, peer: Model, labels: Callable[[View, Batch], Losses]) -> None:
        super().__init__()
        self.peer = peer
        self.labels = labels
        self.needs = Needs(teacher=False, teacher_outputs=False)

    def adapt(self, student: Model) -> Model:
        return student

    def forward(self, student: View, teacher: View | Sequence[View], batch: Batch, clock: Clock) -> Losses:
        peer = View(self.peer(batch.inputs.detach()))
        own, other = student.outputs["logits"], peer.outputs["logits"]
        learnt = [full(loss) for loss in self.labels(peer, batch).values()]
        learnt.append(_towards(own, other).mean())
        return {"mimicry": _towards(other, own).mean(), "peer": torch.stack(learnt).sum()}


def _towards(target: Tensor, logits: Tensor) -> Tensor:
    """KL to a target that is taken as it is, [B]."""
    return kl_from_logits(target.detach(), logits, temperature=1.0)


def build(pair: Pair) -> Method:
    """The peer's initial weights follow from the run's seed."""
    return MutualLearning(_twin(pair.student), pair.task.loss)


def _twin(student: Model) -> Model:
    """A network of the same make, with weights that are drawn anew.

    The seed is drawn first: the student's own weights may come from the very state that the generator is in.
    """
    seed = int(torch.randint(2**31, ()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body, head = any_body(student.recipe), build_head(cast(Mapping[str, object], student.recipe["head"]))
    return Model(
        body,
        head,
        normalise=student.normalise,
        labels=student.labels,
        places=student.places,
        recipe=student.recipe,
    ).train()
