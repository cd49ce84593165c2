"""Which region of the student answers which of the teacher's: one to one, at the smallest cost in all.

    sigma = argmin sum_i  w_class BCE(z_s[sigma(i)], p_t[i]) + w_l1 L1(b_s[sigma(i)], b_t[i])
                          + w_giou (1 - GIoU(b_s[sigma(i)], b_t[i]))

DETR's assignment (Carion et al. 2020, arXiv:2005.12872) with the teacher's scores p_t, one a class, in the place of a
true class, as in DETRDistill (Chang et al. 2022, arXiv:2211.10156). No cross-entropy is smaller than the teacher's own
entropy, so a student that agrees with its teacher is matched with itself.

Matching runs on the CPU (SciPy), page by page; it has no gradient.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from distildoc.losses.boxes import area, giou, l1, xyxy
from distildoc.losses.precision import full


class Weights(NamedTuple):
    """Of class, L1 and GIoU, in the costs and in the losses; these are DETRDistill's and RT-DETR's."""

    classes: float = 1.0
    l1: float = 5.0
    giou: float = 2.0


class Matches(NamedTuple):
    """N matched pairs of a batch: page, student's query and teacher's query, each [N] int64; page by page."""

    pages: Tensor
    students: Tensor
    teachers: Tensor


def most_certain(logits: Tensor, boxes_cxcywh: Tensor, *, top: int, threshold: float) -> Tensor:
    """Which queries of the teacher count, [B, Q] bool: the `top` best of a page that reach `threshold`, 0..1.

    logits [B, Q, C], boxes [B, Q, 4]. A query whose box has no area never counts; that is what detectors which find
    a varying number of regions fill their rows with.
    """
    score = full(logits).amax(-1)
    score = score.masked_fill(area(xyxy(boxes_cxcywh)) <= 0, -torch.inf)
    chosen = torch.zeros_like(score, dtype=torch.bool)
    chosen.scatter_(1, score.topk(min(top, score.shape[1]), 1).indices, True)
    return chosen & (score.sigmoid() >= threshold) & (score > -torch.inf)


@torch.no_grad()
def match(
    teacher: tuple[Tensor, Tensor], student: tuple[Tensor, Tensor], *, chosen: Tensor, weights: Weights
) -> Matches:
    """Pairs the chosen queries of the teacher with queries of the student.

    teacher, student  logits [B, Q, C] and boxes [B, Q, 4] cxcywh; the numbers of queries may differ.
    chosen            [B, Q_t] bool; where a page has more of them than the student has queries, the worst fits stay
                      out.
    """
    device, counts = student[0].device, chosen.sum(1).tolist()
    first = chosen.int().argsort(dim=1, descending=True, stable=True)[:, : max(counts)]  # the chosen ones, then others
    rows = torch.arange(len(chosen), device=first.device)[:, None]
    costs = _costs((teacher[0][rows, first], teacher[1][rows, first]), student, weights).double().cpu().numpy()
    pages, students, teachers = [], [], []
    for page, (cost, columns, count) in enumerate(zip(costs, first.cpu().numpy(), counts, strict=True)):
        own, theirs = assign(cost[:, :count])
        pages.append(np.full_like(own, page))
        students.append(own)
        teachers.append(columns[theirs])
    return Matches(*(torch.from_numpy(np.concatenate(parts)).to(device) for parts in (pages, students, teachers)))


def assign(cost: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of `cost` [N, M] paired one to one at the smallest sum: min(N, M) pairs, rows ascending.

    Costs that are not finite are paired last, so a diverged model is not an error here.
    """
    finite = np.isfinite(cost)
    worst = np.abs(cost[finite]).sum() + 1.0  # dearer than any set of finite ones
    rows, columns = linear_sum_assignment(np.where(finite, cost, worst))
    return rows.astype(np.int64), columns.astype(np.int64)


def _costs(teacher: tuple[Tensor, Tensor], student: tuple[Tensor, Tensor], weights: Weights) -> Tensor:
    """[B, Q_s, Q_t]: what it costs to pair each query of the student with each of the teacher."""
    wanted, wanted_boxes = full(teacher[0]).sigmoid(), full(teacher[1])
    found, boxes = full(student[0]), full(student[1])
    with torch.autocast(found.device.type, enabled=False):
        entropy = functional.softplus(found).sum(-1, keepdim=True) - found @ wanted.transpose(1, 2)
    distance = l1(boxes[:, :, None], wanted_boxes[:, None])
    overlap = giou(xyxy(boxes)[:, :, None], xyxy(wanted_boxes)[:, None])
    return weights.classes * entropy + weights.l1 * distance + weights.giou * (1 - overlap)
