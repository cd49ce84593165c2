"""Word: a piece of text and where it stands on its page."""

from dataclasses import dataclass

from distildoc.schema.pages import Box

SOFT_HYPHEN = "\u00ad"  # ends a word that goes on in the next line


@dataclass(frozen=True)
class Word:
    """A word without blanks; `box` is left, top, right, bottom in shares (0..1) of the page's width and height.

    `confidence` is what OCR says, 0..1; None for text that the file itself carries.
    """

    text: str
    box: Box
    confidence: float | None = None
