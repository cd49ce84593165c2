"""Image files to upright RGB or grey pixels, from files nobody vouches for.

EXIF orientation is applied, transparency lies over white, CMYK and palettes become RGB, 16-bit greys keep their upper
byte. Whatever a decoder raises becomes one InputError that names the file. The size limit is on pixels, because that
is what memory pays for: a picture of a few kilobytes can ask for gigabytes. Only the decoders in FORMATS are tried,
whatever the file is called: some of Pillow's others run programs.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from distildoc.schema.errors import InputError

MAX_PIXELS = 89_478_485  # Pillow's own warning level: 256 MiB as RGB; a 600 dpi A3 scan has 70 million
MAX_PAGES = 10_000  # pages read from one file
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "JPEG2000", "PPM")  # of Pillow
BAND = 64  # rows that are turned into bytes at a time: as floats a deep page takes eight bytes a pixel
ORIENTATION = 0x0112  # EXIF tag; 5 to 8 are quarter turns

_FILTERS = threading.Lock()  # warning filters belong to the whole process


@dataclass(frozen=True)
class ImageFile:
    """Reads one picture of an image file when called with the longest side of use, in pixels (None: as stored)."""

    path: Path
    frame: int = 0

    def __call__(self, longest_px: int | None) -> Image.Image:
        return read_image(self.path, str(self.path), frame=self.frame, longest_px=longest_px)

    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the upright picture as stored, from its header; InputError as when read."""
        return image_size(self.path, str(self.path), frame=self.frame)


def read_image(file: Path | BinaryIO, name: str, *, frame: int = 0, longest_px: int | None = None) -> Image.Image:
    """An RGB or L image; JPEG is decoded at half, a quarter or an eighth where that still covers `longest_px`.

    Raises InputError with `name` for a file that is missing, no image, cut short, or above MAX_PIXELS.
    """
    with _errors_named(name), _opened(file) as image:
        image.seek(frame)
        _check_size(image, name)
        if longest_px is not None:
            _decode_small(image, longest_px)
        image.load()
        return _plain(_upright(image))


def image_size(file: Path | BinaryIO, name: str, *, frame: int = 0) -> tuple[int, int]:
    """(width, height) of what `read_image` gives at full size, from the header alone; InputError likewise."""
    with _errors_named(name), _opened(file) as image:
        image.seek(frame)
        _check_size(image, name)
        return (image.height, image.width) if _lies_on_its_side(image) else image.size


def frame_count(path: Path) -> int:
    """Number of pictures in a TIFF file, read from its directories alone.

    Raises InputError where a directory is damaged or the file holds more than MAX_PAGES.
    """
    try:
        with _opened(path) as image:
            count = 1
            while _has_frame(image, count):
                count += 1
                if count > MAX_PAGES:
                    raise InputError(f"{path}: more than {MAX_PAGES} pages in one file; split it")
            return count
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: cannot read the image ({one_line(error)})") from error


def one_line(error: BaseException) -> str:
    """What an error says, without paths or line breaks that do not help."""
    text = str(error).strip().splitlines()
    if text and text[0].startswith("cannot identify image file"):
        return "not an image, or damaged"
    return (text[0] if text else type(error).__name__).rstrip(".")


@contextmanager
def _errors_named(name: str) -> Iterator[None]:
    """Whatever a decoder raises becomes one InputError."""
    try:
        yield
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(_too_large(name)) from None
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except Exception as error:  # decoders raise almost anything on damaged files
        raise InputError(f"{name}: cannot read the image ({one_line(error)})") from error


def _opened(file: Path | BinaryIO) -> Image.Image:
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(file, formats=FORMATS)


def _has_frame(image: Image.Image, frame: int) -> bool:
    try:
        image.seek(frame)
    except EOFError:
        return False
    return True


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(_too_large(name))


def _too_large(name: str) -> str:
    return f"{name}: the image has more than {MAX_PIXELS / 1e6:.0f} million pixels; scale it down first"


def _decode_small(image: Image.Image, longest_px: int) -> None:
    share = longest_px / max(image.size)
    if image.format == "JPEG" and share < 1:
        image.draft(None, (max(1, round(image.width * share)), max(1, round(image.height * share))))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return image


def _lies_on_its_side(image: Image.Image) -> bool:
    """Whether turning it upright swaps the sides; Pillow has done so already for a TIFF."""
    try:
        turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception:  # as in _upright
        return False
    return turned and image.format != "TIFF"


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _to_bytes(image)
    if image.has_transparency_data:
        return _over_white(image)
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")


def _to_bytes(image: Image.Image) -> Image.Image:
    """Deep greys to 8 bits: floats up to 1 are shares of white, integers above 255 are 16-bit."""
    values = np.asarray(image)
    top = float(np.fmax.reduce(values, axis=None, initial=0))  # not a number counts as nothing
    scale = 1.0
    if image.mode == "F" and top <= 1.0:
        scale = 255.0
    elif image.mode.startswith("I;16") or top > 255:
        scale = 1 / 256
    grey = np.empty(values.shape, dtype=np.uint8)
    for row in range(0, len(values), BAND):
        band = np.nan_to_num(values[row : row + BAND].astype(np.float64)) * scale
        grey[row : row + BAND] = np.clip(band, 0, 255)
    return Image.fromarray(grey)


def _over_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    page = Image.new("RGBA", layer.size, "white")
    page.alpha_composite(layer)
    return page.convert("RGB")
