"""Pages that stand in a page set although they cannot be read, until `check_pages` or an evaluation counts them."""

from dataclasses import dataclass, replace

from PIL import Image

from distildoc.schema.errors import InputError
from distildoc.schema.pages import FailedPage, Page


def labelled(page: Page | FailedPage, label: str | None) -> Page:
    """The page with its class; a failed one becomes a page that raises its reason when its pixels are asked for."""
    if isinstance(page, Page):
        return replace(page, label=label)
    return Page(page.id, page.source, page.number, _Unreadable(page.reason), label)


def is_nameless(page: Page) -> bool:
    """Whether nobody can say what class it had, since it could not be read: a choice by class is not for it."""
    return page.label is None and reason_of(page) is not None


def reason_of(page: Page) -> str | None:
    """Why a page that stands for an unreadable one is one; None for others, which may turn out to be damaged."""
    return page.load.reason if isinstance(page.load, _Unreadable) else None


@dataclass(frozen=True)
class _Unreadable:
    reason: str

    def __call__(self, longest_px: int | None) -> Image.Image:
        raise InputError(self.reason)
