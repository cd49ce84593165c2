"""What the layout part of method_cost.py runs on: two detectors and some pages, half of them without labels."""

import torch

from distildoc.core.batch import TRUE, UNKNOWN, UNLABELLED, Batch, Key
from distildoc.core.pair import Pair
from distildoc.models.detectors.build import build_detector
from distildoc.tasks.detection import detection

SIDE, PAGES, REGIONS = 128, 8, 12
LABELS = tuple(f"class {number}" for number in range(11))
SETTINGS = {"pseudo_labels": {"threshold": 1e-4, "most": REGIONS}}  # a teacher of random weights is sure of nothing


def layout_pair() -> Pair:
    """Two D-FINEs."""
    size = (SIDE, SIDE)
    teacher = build_detector("d-fine-mini", labels=LABELS, size=size, seed=1).eval()
    return Pair(build_detector("d-fine-micro", labels=LABELS, size=size, seed=0), teacher, detection(LABELS), size)


def two_stage_pair() -> Pair:
    """Two Faster R-CNNs, for methods that are for these alone."""
    size = (SIDE, SIDE)
    student, teacher = (
        build_detector("mask-rcnn-micro", labels=LABELS, size=size, seed=seed, masks=False, anchor=8, **settings)
        for seed, settings in enumerate([{}, {"backbone": "cnn-small", "hidden": 256}])
    )
    return Pair(student, teacher.eval(), detection(LABELS), size)


def layout_pages() -> Batch:
    """Noise with regions of all sizes on every other page; the others have none that anybody knows."""
    draws = torch.Generator().manual_seed(0)
    centres = torch.rand(PAGES, REGIONS, 2, generator=draws) * 0.5 + 0.25
    sides = torch.rand(PAGES, REGIONS, 2, generator=draws) * 0.4 + 0.05
    classes = torch.arange(REGIONS).remainder(len(LABELS)).repeat(PAGES, 1)
    unknown = torch.arange(PAGES) % 2 == 1
    classes[unknown] = UNLABELLED
    targets = {
        "boxes": torch.cat([centres, sides], -1),
        "classes": classes,
        "origin": torch.where(unknown, UNKNOWN, TRUE),
    }
    keys = tuple(Key(f"page {number}", 0) for number in range(PAGES))
    return Batch(torch.rand(PAGES, 3, SIDE, SIDE, generator=draws), targets, keys)
