"""The tree of a mixture of experts as a picture: which block every class ends at, and through which blocks."""

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distildoc.evaluate.plots import BLUE, GREY, short

Path = tuple[int, ...]


def class_paths(parents: Sequence[Sequence[int]]) -> list[Path]:
    """For every class the blocks on its way, first level first.

    parents  of each gate, from the first level to the classes: the parent of every child.

    >>> class_paths([[0, 0, 1], [2, 0]])
    [(1, 2), (0, 0)]
    """
    found: list[Path] = []
    for child in range(len(parents[-1])):
        path: list[int] = []
        for level in reversed(parents):
            child = level[child]
            path.insert(0, child)
        found.append(tuple(path))
    return found


def tree_figure(parents: Sequence[Sequence[int]], labels: Sequence[str], *, title: str = "") -> Figure:
    """From the page at the left to the classes at the right; a line is as wide as many classes go through it.

    Blocks that no class ends at are left out. No two lines cross.
    """
    paths = class_paths(parents)
    order = sorted(range(len(labels)), key=lambda label: (paths[label], labels[label]))
    heights = {label: float(-row) for row, label in enumerate(order)}
    figure = Figure(figsize=(6.4, 1.0 + 0.27 * len(labels)), layout="constrained")
    axes = figure.subplots()
    depth = len(parents) + 1
    for end in range(1, depth + 1):
        if end < depth:
            lines = Counter(path[:end] for path in paths)
        else:
            lines = Counter({(*paths[label], label): 1 for label in heights})
        for node, count in lines.items():
            start = _height(node[:-1], paths, heights)
            height = _height(node, paths, heights) if end < depth else heights[node[-1]]
            axes.plot([end - 1, end], [start, height], color=BLUE, linewidth=0.8 + 0.5 * count, zorder=1)
            _name(
                axes, (end, height), short(labels[node[-1]]) if end == depth else str(node[-1] + 1), leaf=end == depth
            )
    _name(axes, (0, _height((), paths, heights)), "page", leaf=False)
    axes.set(xlim=(-0.3, depth + 1.2), ylim=(-len(labels) + 0.3, 0.7))
    axes.axis("off")
    axes.set_title(title, loc="left", fontsize="medium")
    return figure


def _height(node: Path, paths: Sequence[Path], heights: Mapping[int, float]) -> float:
    """The middle of the classes behind a block."""
    behind = [heights[label] for label, path in enumerate(paths) if path[: len(node)] == node]
    return sum(behind) / len(behind)


def _name(axes: Axes, place: tuple[float, float], text: str, *, leaf: bool) -> None:
    box = None if leaf else {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": GREY}
    x, y = place
    axes.text(x + 0.05 * leaf, y, text, ha="left" if leaf else "center", va="center", fontsize="small", bbox=box)
