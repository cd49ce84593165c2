"""The run file: what a run is made of, with a meaning and a unit for every key."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from distildoc.models.load import StartWith
from distildoc.recipes.exams_config import AgreementConfig, AttacksConfig, CorruptionsConfig, RetrievalConfig
from distildoc.recipes.settings import Strict

Share = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # of a term of the loss
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]  # of a folder


class Choice(BaseModel):
    """A name from one of our tables, and its settings beside it; they are checked where the name is resolved."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class SourceConfig(Choice):
    kind: str  # reader of the pages: a key of DATA


class HoldOut(Strict):
    hold_out: Share  # share of the training pages set aside, stratified by class
    seed: NonNegativeInt = 0  # which pages they are


class LabelsConfig(Strict):
    map: str | None = None  # a known map of taxonomies, as in publaynet->doclaynet; `rename` and `drop` come after it
    rename: dict[str, str] = Field(default_factory=dict)  # class of the source -> class of this run; many may go to one
    drop: tuple[str, ...] = ()  # classes whose pages, or regions, are left out


class LabelNoiseConfig(Strict):
    share: Share  # of the training pages that get one of the other classes; validation and test pages keep theirs
    seed: NonNegativeInt = 0  # which pages, and which classes


class ImbalanceConfig(Strict):
    ratio: Annotated[float, Field(ge=1)]  # training pages of the commonest class to those of the rarest
    seed: NonNegativeInt = 0  # which classes are rare, and which pages are kept


class DataConfig(Strict):
    train: SourceConfig
    validation: HoldOut | SourceConfig = HoldOut(hold_out=0.1)
    test: SourceConfig | None = None  # read once, at the end
    also: SourceConfig | None = None  # more labelled pages to train on, all of them; never selected on
    unlabelled: SourceConfig | None = None  # more pages to learn from a teacher on; their labels are not looked at
    labels: LabelsConfig = LabelsConfig()
    per_class: PositiveInt | None = None  # keep so many training pages a class
    subset_seed: NonNegativeInt = 0  # which pages those are; their ids are written into the run
    classes: tuple[str, ...] = ()  # train and select on pages of these alone; the run's classes stay all. Empty: all
    imbalance: ImbalanceConfig | None = None  # exponential, among those pages
    label_noise: LabelNoiseConfig | None = None  # symmetric, among the pages that are left
    skip_bad: bool = False  # leave out pages that cannot be read, and count them
    cache_mb: PositiveInt = 1024  # memory for decoded pages, MiB
    workers: NonNegativeInt = 0  # processes that decode pages


class InputConfig(Strict):
    height: Annotated[int, Field(ge=16, le=4096)] = 128  # pixels
    width: Annotated[int, Field(ge=16, le=4096)] = 128  # pixels
    fit: Literal["stretch", "pad"] = "stretch"
    grey: bool = True  # drop colour
    scales: tuple[Annotated[int, Field(ge=16, le=4096)], ...] = ()  # longest sides in pixels, one a batch; empty: off
    text_bytes: Annotated[int, Field(ge=16, le=1 << 16)] | None = None  # texts, not pages: bytes of UTF-8 that are read


class ModelConfig(Choice):
    name: str  # a preset of MODELS, a hub id, a local folder, or timm:NAME
    pretrained: bool = False  # load the weights of a hub id
    seed: NonNegativeInt | None = None  # initial weights; None: the run's seed


class TeacherLabels(LabelsConfig):
    missing: Literal["refuse", "ignore"] = "refuse"  # ignore: terms compare the student's other classes alone


class TeacherConfig(Strict):
    runs: tuple[str, ...] = Field(min_length=1)  # folders of finished runs; several make an ensemble, or experts
    experts: bool = False  # keep several runs apart, for methods that choose among teachers: smallest first
    cache: str | None = None  # folder of cached outputs; `distildoc cache` writes it
    cache_dtype: Literal["float32", "float16"] = "float32"
    cache_limit_kib: PositiveInt = 256  # most that a page and view may take in it; maps of detectors take more
    taps: tuple[str, ...] = ()  # more features to cache, so that runs with other terms share the cache
    labels: TeacherLabels = TeacherLabels()  # the teacher's classes in the student's names

    @model_validator(mode="after")
    def _are_several(self) -> Self:
        if self.experts and len(self.runs) == 1:
            raise ValueError("`experts: true` keeps several runs apart, and `runs` names one; name more, or drop it")
        return self


class RampConfig(Strict):
    kind: Literal["constant", "linear", "sigmoid", "decay"] = "constant"
    start: Weight  # at the first step
    end: Weight = 0.0  # linear, sigmoid: weight from `until` on
    until: Annotated[float, Field(gt=0, le=1)] = 1.0  # linear, sigmoid: share of the training
    per_epoch: PositiveFloat = 0.7  # decay: factor an epoch


class TermConfig(Choice):
    method: str  # a key of METHODS
    weight: Annotated[
        Annotated[Weight, Tag("(number)")] | Annotated[RampConfig, Tag("(ramp)")],
        Discriminator(lambda weight: "(ramp)" if isinstance(weight, dict | RampConfig) else "(number)"),
    ] = 1.0
    name: str | None = None  # in the records; None: the method's


class TrainConfig(Strict):
    epochs: NonNegativeInt = 30  # 0 keeps the weights that `model` or `start` brings
    batch: PositiveInt = 32  # pages a step and process
    accumulate: PositiveInt = 1  # steps whose gradients are added up
    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.05
    reset_optimiser: Literal["never", "epoch"] = "never"  # when it forgets its moments, for weights that change much
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1  # share of the steps
    clip_norm: PositiveFloat | None = 1.0  # largest gradient norm
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None  # decay a step of averaged weights
    precision: Literal["no", "bf16", "fp16"] = "no"
    compile: bool = False  # torch.compile
    keep: Literal["best", "last"] = "best"  # by the score on validation pages
    validate_every: PositiveInt = 1  # epochs
    validate_pages: PositiveInt | None = None  # validation pages scored while training; None: all
    checkpoint_steps: PositiveInt = 200
    trackers: tuple[Literal["tensorboard"], ...] = ()
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of page classes
    threads: PositiveInt | None = None  # CPU threads; None: torch's choice


class ExportConfig(Strict):
    calibrate: bool = True  # fit a temperature, or thresholds of regions, on the validation pages
    tolerance: PositiveFloat = 1e-3  # largest difference of a probability or score between student and bundle
    nms_iou: Share | None = None  # of two regions that overlap more, whatever their class, keep the surer; None: both


class ExamsConfig(Strict):
    """What the finished student is tried on beside its test pages; adding some later leaves the run the same."""

    shifted: dict[Name, SourceConfig] = Field(default_factory=dict)  # other labelled pages, by a name of yours
    corruptions: CorruptionsConfig | None = None  # the test pages, damaged; {} takes the defaults
    agreement: AgreementConfig | None = None  # with the teacher, on the test pages; {} takes the defaults
    attacks: AttacksConfig | None = None  # pixels moved against the student; {} takes the defaults
    retrieval: RetrievalConfig | None = None  # pages of the same class by their vectors; {} takes the defaults


class RunConfig(Strict):
    """One run: a model, its pages, what it learns from, and how."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    task: Literal["classification", "detection"] = "classification"
    seed: NonNegativeInt = 0  # initial weights, order of pages, dropout
    data: DataConfig
    input: InputConfig = InputConfig()
    augmentation: dict[str, Any] | None = None  # settings of Augmentation; None: pages as they are
    model: ModelConfig
    start: str | None = None  # folder of a run whose weights to start from
    start_with: StartWith = "body"  # all: the same classes' head too; classes: the rows of classes in common
    teacher: TeacherConfig | None = None
    terms: tuple[TermConfig, ...] = (TermConfig(method="supervised"),)
    train: TrainConfig = TrainConfig()
    export: ExportConfig = ExportConfig()
    exams: ExamsConfig | None = None  # does not count when runs are told apart

    @model_validator(mode="after")
    def _texts_have_no_pixels(self) -> Self:
        if self.input.text_bytes is None:
            return self
        exams = self.exams or ExamsConfig()
        pixels = {
            "task: detection": self.task == "detection",
            "augmentation": self.augmentation is not None,
            "input.scales": bool(self.input.scales),
            "exams.corruptions": exams.corruptions is not None,
            "exams.attacks": exams.attacks is not None,
        }
        for key, asked in pixels.items():
            if asked:
                raise ValueError(
                    f"{key} is for pages, and with `input.text_bytes` the run reads texts; drop one of them"
                )
        return self

    @model_validator(mode="after")
    def _attacks_are_on_classes(self) -> Self:
        if self.task != "classification" and self.exams is not None and self.exams.attacks is not None:
            raise ValueError("exams.attacks is for page classification; drop it")
        return self
