"""Exams: what a finished student is tried on beside its test pages. No part of what makes the run."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from distildoc.data.corruptions import KINDS, SEVERITIES
from distildoc.recipes.settings import Strict
from distildoc.schema.errors import closest


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


class RetrievalConfig(Strict):
    """Test pages that ask for pages of their class by the student's vectors, at both distances."""

    tap: str = "penultimate"  # whose features are the vectors; maps and tokens are averaged over the page
    at: tuple[PositiveInt, ...] = (1, 10)  # how many pages of the answer precision is taken over
    database: Literal["train", "test"] = "train"  # train: the run's training pages; test: all other test pages
    pages: PositiveInt | None = 1000  # how many of the test pages ask at most, chosen by the seed 0; None: all
