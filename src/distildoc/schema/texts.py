"""Texts in place of pages: a record's text as bytes, and bytes to tokens, the same in training and without torch.

A batch of texts is [B, L] uint8: UTF-8, filled up with zeros. It is tokenised for nobody, as pixels are normalised for
nobody: every model has its own tokenizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page

if TYPE_CHECKING:
    from PIL import Image
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"
MAX_TEXT_BYTES = 1 << 20
MAX_TOKENIZER_BYTES = 32 << 20
MAX_TOKENS = 8192  # of a text, whatever a tokenizer asks for


@dataclass(frozen=True)
class TextInput:
    """How a text becomes the input of a run: its first `text_bytes` bytes of UTF-8, no character cut in two."""

    text_bytes: int

    def of(self, page: Page) -> NDArray[np.uint8]:
        """[text_bytes] bytes of a page's text; raises InputError for one of pixels, and for one that cannot be read."""
        if page.text is None:
            page.image(64)  # a row of a table that cannot be read says why
            raise InputError(f"page '{page.id}' has no text; drop `input.text_bytes`, or read texts (kind: table)")
        cut = page.text.encode()[: self.text_bytes].decode(errors="ignore").encode()
        row = np.zeros(self.text_bytes, np.uint8)
        row[: len(cut)] = np.frombuffer(cut, np.uint8)
        return row

    def network(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """[B, text_bytes] as they are: every model has a tokenizer of its own."""
        return rows

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.text_bytes,)

    def to_json(self) -> dict[str, object]:
        return {"text_bytes": self.text_bytes}


def noun_of(made: object) -> str:
    """What is read by what makes the input of a run or a bundle, in the plural."""
    return "texts" if isinstance(made, TextInput) else "pages"


@dataclass(frozen=True)
class NoPixels:
    """The loader of a page that is a text."""

    id: str

    def __call__(self, longest_px: int | None) -> "Image.Image":
        raise InputError(f"page '{self.id}' is a text and has no pixels; set `input.text_bytes` in the run")


def text_page(text: str, *, id: str, source: str, number: int, label: str | None = None) -> Page:
    """A text as a page: a document of its own, so that texts of one file can be set aside one by one."""
    return Page(id, source, number, NoPixels(id), label, document=id, text=text)


def texts_of(rows: NDArray[np.uint8]) -> list[str]:
    """The texts in [B, L] bytes.

    >>> texts_of(np.frombuffer(b"caf\\xc3\\xa9\\0\\0", np.uint8)[None])
    ['café']
    """
    return [row.tobytes().rstrip(b"\0").decode(errors="replace") for row in rows]


def open_tokenizer(content: str, where: str) -> "Tokenizer":
    """The tokenizer in the text of a tokenizer.json, which says itself how texts are cut and filled up.

    Raises ImportError without the library, InputError where the text is none.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ImportError("texts need the library tokenizers: install distildoc[text]") from None
    try:
        tokenizer: Tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # the library raises a bare Exception
        raise InputError(
            f"{where}: no tokenizer of the library tokenizers: {' '.join(str(error).split())[:160]}"
        ) from None
    if tokenizer.padding is None:
        tokenizer.enable_padding()
    return tokenizer


def bounded_tokenizer(content: str, where: str) -> "Tokenizer":
    """The same for a tokenizer that is run as it is: it must cut its texts, and fill up to the longest of them alone.

    Raises InputError where it would make more of a short text, or all of a long one.
    """
    tokenizer = open_tokenizer(content, where)
    cut, filled = tokenizer.truncation, tokenizer.padding
    if cut is None or not 1 <= cut["max_length"] <= MAX_TOKENS:
        raise InputError(f"{where}: the tokenizer must cut texts to at most {MAX_TOKENS} tokens, it says {cut}")
    if filled is not None and (filled["length"] or filled["pad_to_multiple_of"]):
        raise InputError(f"{where}: the tokenizer must fill up to the longest text of a batch, it says {filled}")
    return tokenizer


def read_tokenizer(path: Path) -> str:
    """The content of a tokenizer.json; raises InputError where it is too large or no text."""
    if path.stat().st_size > MAX_TOKENIZER_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, more than {MAX_TOKENIZER_BYTES} for a tokenizer")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); export or fetch it again") from None


def tokens_of(tokenizer: "Tokenizer", texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids, mask), [B, T] each; the mask is 1 on tokens and 0 on what fills up to the longest."""
    found = tokenizer.encode_batch(list(texts))
    ids = np.array([one.ids for one in found], np.int64)
    mask = np.array([one.attention_mask for one in found], np.int64)
    if not ids.shape[1]:  # a text of which no token is left
        return np.zeros((len(found), 1), np.int64), np.zeros((len(found), 1), np.int64)
    return ids, mask
