"""The sentences at the head of a report: who is best, by how much, and what it costs."""

from collections.abc import Mapping, Sequence

from distildoc.metrics import Difference
from distildoc.schema.report import Score
from distildoc.study.formats import count, points
from distildoc.study.groups import Group
from distildoc.study.shown import Shown


def summary(groups: Sequence[Group], gains: Mapping[str, Difference], shown: Shown) -> list[str]:
    """One to three sentences; nothing is said about what was not measured."""
    scored = [(group, score) for group in groups if (score := group.score(shown.primary)) is not None]
    students = [entry for entry in scored if entry[0].role != "teacher"]
    if not students:
        return ["No student has been evaluated yet."]
    best, score = max(students, key=lambda entry: entry[1].value)
    lines = [_best(best, score, len(students), shown)]
    if gain := gains.get(best.name):
        lines.append(_gain(gain))
    elif best.role == "supervised" and len(students) > 1:
        lines.append("No distilled student beats the one that learnt from labels alone.")
    teachers = [entry for entry in scored if entry[0].role == "teacher"]
    if teachers:
        lines.append(_teacher(best, score, *max(teachers, key=lambda entry: entry[1].value)))
    return lines


def _best(best: Group, score: Score, students: int, shown: Shown) -> str:
    among = f"Of {students} students, {best.name} {shown.best}" if students > 1 else f"{best.name} is scored"
    pages = f" on {best.report.pages:,} pages" if best.report else ""
    if len(best.reports) > 1:
        return (
            f"{among}: {score.value:.3f}{pages}, mean of {len(best.reports)} seeds "
            f"({score.low:.3f} to {score.high:.3f})."
        )
    return f"{among}: {score.value:.3f}{pages} (95 % interval {score.low:.3f} to {score.high:.3f})."


def _gain(gain: Difference) -> str:
    text = f"{points(gain.value)} points against the supervised student"
    interval = f"95 % interval {points(gain.low)} to {points(gain.high)}"
    if gain.low <= 0 <= gain.high:
        return f"That is {text} ({interval}): these pages do not tell the two apart."
    return f"That is {text} ({interval})."


def _teacher(best: Group, score: Score, teacher: Group, top: Score) -> str:
    name = "The teacher" if teacher.name == "teacher" else f"The teacher {teacher.name}"
    text = f"{name} reaches {top.value:.3f}, so {best.name} is at {points(score.value - top.value)} points from it"
    large, small = teacher.cost("parameters"), best.cost("parameters")
    if large and small:
        text += f", with {count(small)} parameters where the teacher has {count(large)}"
    return text + "."
