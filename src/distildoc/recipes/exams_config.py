"""Exams: what a finished student is tried on beside its test pages. No part of what makes the run."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from distildoc.data.corruptions import KINDS, SEVERITIES
from distildoc.recipes.settings import Strict
from distildoc.schema.errors import closest

Share = Annotated[float, Field(gt=0, lt=1)]


class CorruptionsConfig(Strict):
    """The test pages again, damaged as scanners, faxes and people damage them."""

    kinds: tuple[str, ...] = ()  # keys of KINDS; empty: all
    severities: tuple[int, ...] = Field(SEVERITIES, min_length=1)  # 1 mild to 5 harsh
    pages: PositiveInt | None = None  # how many of the test pages, chosen by the seed; None: all
    seed: NonNegativeInt = 0  # which pages, and how each is damaged
    cache: str | None = None  # folder that keeps the damaged pages at network size for other runs; None: not kept

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(f"no corruption '{kind}'; {closest(kind, KINDS)}")
        return tuple(kind for kind in KINDS if kind in kinds)

    @field_validator("severities")
    @classmethod
    def _in_range(cls, severities: tuple[int, ...]) -> tuple[int, ...]:
        for severity in severities:
            if severity not in SEVERITIES:
                raise ValueError(f"no severity {severity}; there are {list(SEVERITIES)}")
        return tuple(sorted(set(severities)))


class AgreementConfig(Strict):
    """Student and teacher side by side on the test pages."""

    taps: tuple[str, ...] = ("early", "middle", "late", "penultimate")  # places whose features are compared
    pages: PositiveInt = 500  # how many of the test pages at most, chosen by the seed 0


class SmoothingConfig(Strict):
    """A vote under noise, and the radius within which it cannot change."""

    sigma: PositiveFloat = 0.1  # standard deviation of the noise, in units of pixels, 0..1
    draws: PositiveInt = 1000  # that bound the winner's probability
    choose: PositiveInt = 100  # more draws, that choose the winner
    alpha: Share = 0.001  # chance at most that a radius is too large
    radii: tuple[PositiveFloat, ...] = Field((0.05, 0.1, 0.2), min_length=1)  # L2 changes to certify, in units of 0..1
    pages: PositiveInt | None = 100  # how many of the pages under attack; None: all


class AttacksConfig(Strict):
    """The test pages again, their pixels moved against the student. For page classifiers."""

    epsilon: Share = 8 / 255  # largest change of a pixel, in units of 0..1
    kinds: tuple[Literal["fgsm", "pgd"], ...] = Field(("fgsm", "pgd"), min_length=1)
    steps: tuple[PositiveInt, ...] = Field((20,), min_length=1)  # of PGD; several: one attack each
    restarts: PositiveInt = 1  # random starts of PGD; a page must withstand all
    transfer: dict[str, str] = Field(default_factory=dict)  # name -> run whose student PGD is run on instead
    smoothing: SmoothingConfig | None = None  # {} takes the defaults
    pages: PositiveInt | None = None  # how many of the test pages, chosen by the seed; None: all
    seed: NonNegativeInt = 0  # which pages, and where attacks start


class RetrievalConfig(Strict):
    """Test pages that ask for pages of their class by the student's vectors, at both distances."""

    tap: str = "penultimate"  # whose features are the vectors; maps and tokens are averaged over the page
    at: tuple[PositiveInt, ...] = (1, 10)  # how many pages of the answer precision is taken over
    database: Literal["train", "test"] = "train"  # train: the run's training pages; test: all other test pages
    pages: PositiveInt | None = 1000  # how many of the test pages ask at most, chosen by the seed 0; None: all
