"""evaluate.tree: ways through the tree by hand, and what the picture shows."""

from pathlib import Path

import numpy as np
from PIL import Image

from distildoc.evaluate.plots import write_figure
from distildoc.evaluate.tree import class_paths, tree_figure

LABELS = ("letter", "form", "memo", "table", "budget")
PARENTS = ((0, 1, 1, 0), (3, 1, 3, 1, 2))  # four blocks read two; nobody reads the first of the four


def test_the_way_of_a_class_is_read_from_its_parent_upwards() -> None:
    assert class_paths(PARENTS) == [(0, 3), (1, 1), (0, 3), (1, 1), (1, 2)]


def test_the_picture_names_every_class_once_and_only_blocks_that_a_class_ends_at() -> None:
    axes = tree_figure(PARENTS, LABELS).axes[0]
    names = [text.get_text() for text in axes.texts if text.get_text()]
    assert sorted(names) == sorted([*LABELS, "page", "1", "2", "2", "3", "4"])


def test_lines_are_as_wide_as_many_classes_go_through_and_do_not_cross() -> None:
    lines = tree_figure(PARENTS, LABELS).axes[0].lines
    assert len(lines) == 2 + 3 + 5
    widths = sorted(line.get_linewidth() for line in lines)
    np.testing.assert_allclose(widths, [1.3] * 6 + [1.8] * 3 + [2.3])
    for step in range(3):
        ends = sorted(tuple(line.get_ydata()) for line in lines if line.get_xdata()[0] == step)
        assert [end for _, end in ends] == sorted(end for _, end in ends)


def test_classes_of_one_parent_stand_together() -> None:
    texts = {text.get_text(): text.get_position()[1] for text in tree_figure(PARENTS, LABELS).axes[0].texts}
    assert sorted(LABELS, key=lambda label: -texts[label]) == ["letter", "memo", "form", "table", "budget"]


def test_it_is_written_as_a_picture(tmp_path: Path) -> None:
    write_figure(tree_figure(PARENTS, LABELS, title="a tree"), tmp_path / "tree.png")
    with Image.open(tmp_path / "tree.png") as picture:
        assert np.asarray(picture.convert("L")).min() < 100
