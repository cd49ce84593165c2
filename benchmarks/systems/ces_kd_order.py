"""What the pages of CES-KD say besides their verdicts: how the means stand, and what the first studies ranked."""

from collections.abc import Mapping

JUDGED = 'The claim is one of "at least as good", on means; the verdicts above ask for more: better beyond doubt.'
FIRST_VIEW = """
In this study a page was ranked by how hard the first of its four noisy views is, whichever of them the student was
shown. The [third try](ces_kd_tuned.md) ranks every view by itself.
"""


def order_lines(ours: str, others: tuple[str, ...], means: Mapping[str, float], titles: Mapping[str, str]) -> list[str]:
    """The mean accuracies of CES-KD and of what it should not be below, best first."""
    told = [f"- {titles[arm]}: {100 * means[arm]:.1f}" for arm in sorted((ours, *others), key=lambda arm: -means[arm])]
    ahead = sum(means[ours] >= means[arm] for arm in others)
    return [
        f"{JUDGED} On test pages the means stand in this order, in percent; CES-KD is at least as good as {ahead} of "
        f"the other {len(others)}:",
        "",
        *told,
        "",
    ]
