"""A study of pages that are dark or light, which takes seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

TRAIN, TEST = 8, 4  # pages a class


def draw_pages(folder: Path) -> None:
    """FOLDER/{train,test}/{dark,light}/N.png."""
    for split, first, count in (("train", 0, TRAIN), ("test", 100, TEST)):
        for label, low in (("dark", 0), ("light", 60)):
            (folder / split / label).mkdir(parents=True)
            for number in range(first, first + count):
                noise = np.random.default_rng([low, number]).integers(low, low + 196, (32, 32), dtype=np.uint8)
                Image.fromarray(noise).save(folder / split / label / f"{number}.png")


def study_of(pages: Path, **changes: Any) -> Mapping[str, Any]:
    """Two students, labels alone and KD, two seeds, and one teacher."""
    student = {"name": "cnn-micro", "widths": [4, 8], "depths": [1, 1]}
    return {
        "name": "tiny",
        "run": {
            "data": {
                "train": {"kind": "folder", "path": str(pages / "train")},
                "validation": {"hold_out": 0.25},
                "test": {"kind": "folder", "path": str(pages / "test")},
            },
            "input": {"height": 32, "width": 32},
            "augmentation": {"views": 2, "shift": 0.1},
            "train": {"epochs": 2, "batch": 4, "lr": 0.01, "threads": 1, "checkpoint_steps": 1},
        },
        "before": {"teacher": {"model": student | {"embedding": 8}}},
        "axes": {
            "student": {"a": {"model": student | {"embedding": 4}}, "b": {"model": student | {"embedding": 6}}},
            "method": {"kd": {"teacher": {"runs": ["@teacher"]}, "terms": [{"method": "kd"}]}},
        },
        "seeds": [0, 1],
        "export": "none",
        **changes,
    }


def write_study(folder: Path, pages: Path, **changes: Any) -> Path:
    """The study as a file."""
    file = folder / "tiny.yaml"
    file.write_text(yaml.safe_dump(dict(study_of(pages, **changes)), sort_keys=False))
    return file
