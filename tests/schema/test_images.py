"""Image files to plain pixels."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distildoc.schema.errors import InputError
from distildoc.schema.pages import Page
from distildoc.schema.sources import image_page


def page_of(path: Path) -> Page:
    return image_page(path, id=path.name)


def picture(path: Path, *, size: tuple[int, int] = (20, 30), color: str = "white", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "bmp", "gif"])
@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_a_truncated_image_is_an_input_error_that_names_it(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=r"cut\."):
        page_of(path).image(32)


def test_an_image_beyond_the_pixel_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(InputError, match=r"bomb\.png: the image has more than 89 million pixels"):
        page_of(path).image(100)


def test_an_image_between_our_limit_and_that_of_pillow_is_refused_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 10_000)).save(path)
    with pytest.raises(InputError, match="89 million"):
        page_of(path).image(100)


def test_exif_orientation_turns_the_page_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise
    for suffix in ("jpg", "tif"):
        assert page_of(picture(tmp_path / f"turned.{suffix}", size=(40, 20), exif=exif)).image().size == (20, 40)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 90, 90),
        ("1", 1, 255),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 255), (0, 0, 0)),
        ("LA", (0, 0), (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
        ("I;16", 0x80FF, 0x80),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("F", 0.5, 127),
    ],
)
def test_every_colour_mode_becomes_plain_rgb_or_grey(
    tmp_path: Path, mode: str, color: object, expected: object
) -> None:
    path = tmp_path / ("a.tif" if mode in ("CMYK", "F") else "a.png")
    Image.new(mode, (4, 4), color).save(path)
    read = page_of(path).image()
    assert read.mode in ("L", "RGB")
    assert read.getpixel((1, 1)) == expected


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png", transparency=1)
    assert page_of(tmp_path / "a.png").image().getpixel((0, 0)) == (255, 255, 255)


def test_a_jpeg_is_read_at_reduced_size_that_still_covers_what_is_asked(tmp_path: Path) -> None:
    page = page_of(picture(tmp_path / "big.jpg", size=(800, 1600), color="grey"))
    assert page.image(300).size == (200, 400)
    assert page.image(1600).size == (800, 1600)
    assert page.image().size == (800, 1600)


def test_a_deleted_image_is_named_when_its_pixels_are_wanted(tmp_path: Path) -> None:
    page = page_of(picture(tmp_path / "gone.png"))
    (tmp_path / "gone.png").unlink()
    with pytest.raises(InputError, match=r"gone\.png: no such file"):
        page.image()


def test_a_format_that_runs_a_program_is_refused_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.new("RGB", (20, 30)).save(path, format="EPS")  # Pillow hands these to Ghostscript
    with pytest.raises(InputError, match="not an image, or damaged"):
        page_of(path).image()


@pytest.mark.parametrize("kind", ["<u2", "<i4", "<f4"])
def test_deep_greys_take_no_more_than_four_bytes_a_pixel_beside_the_picture(kind: str, tmp_path: Path) -> None:
    path, pixels = tmp_path / "deep.tif", 1000 * 2000
    Image.fromarray(np.full((1000, 2000), 70_000 if kind == "<i4" else 1, kind)).save(path)
    picture = np.dtype(kind).itemsize * pixels  # NumPy's own copy of what Pillow holds
    tracemalloc.start()
    page_of(path).image(64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < picture + 4 * pixels + 2**20
