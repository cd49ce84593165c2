"""Overlay: each page as PNG with its regions, one colour a class, and a legend below.

The number at a region is its place in the reading order.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from distildoc.predict.reading import Block, Reading
from distildoc.predict.writers.documents import path_below
from distildoc.schema.bundle import Bundle
from distildoc.schema.pages import FailedPage

TARGET = "overlay"
TEXT = False
LONGEST_PX = 1400  # of the page in the picture
FILL = 48  # opacity of a region, of 255
COLOURS = (  # told apart by most eyes; after them they come again
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
    *("#003f5c", "#ffa600", "#7a5195", "#ef5675", "#488f31", "#665191", "#a05195"),
)

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@contextmanager
def writing(path: Path, bundle: Bundle) -> Iterator[Callable[[Reading | FailedPage], None]]:
    """Give the function that draws one page as `path`/PAGE_ID.png; a failed one leaves no picture."""
    path.mkdir()

    def write(page: Reading | FailedPage) -> None:
        if isinstance(page, FailedPage):
            return
        target = path_below(path, f"{page.page.id}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        drawn(page).save(target, format="PNG", compress_level=4)

    yield write


def drawn(reading: Reading) -> Image.Image:
    """The page with its regions and a legend, as RGB."""
    page = reading.page.image(min(LONGEST_PX, max(reading.layout.size))).convert("RGB")
    if max(page.size) > LONGEST_PX:
        page.thumbnail((LONGEST_PX, LONGEST_PX))
    font = ImageFont.load_default(max(11, max(page.size) // 90))
    colours = {label: _colour(place) for place, label in enumerate(reading.layout.labels)}
    scale = page.width / reading.layout.size[0], page.height / reading.layout.size[1]
    pen = ImageDraw.Draw(page, "RGBA")
    for number, block in enumerate(reading.regions, start=1):
        _region(pen, block, number, scale=scale, colour=colours[block.label or ""], font=font)
    return _with_legend(page, reading.regions, colours, font)


def _region(
    pen: ImageDraw.ImageDraw, block: Block, number: int, *, scale: tuple[float, float], colour: Colour, font: Font
) -> None:
    across, down = scale
    left, top, right, bottom = block.box
    box = (left * across, top * down, max(right, left) * across, max(bottom, top) * down)
    pen.rectangle(box, fill=(*colour, FILL), outline=(*colour, 255), width=2)
    tag = f"{number}  {block.score:.2f}" if block.score is not None else str(number)
    around = pen.textbbox((0, 0), tag, font=font)
    x, y = box[0], max(0.0, box[1] - around[3] - 4)
    pen.rectangle((x, y, x + around[2] + 6, y + around[3] + 4), fill=(*colour, 220))
    pen.text((x + 3, y + 2), tag, font=font, fill=(255, 255, 255, 255))


def _with_legend(page: Image.Image, regions: Sequence[Block], colours: dict[str, Colour], font: Font) -> Image.Image:
    """The page above a strip with the classes found on it and how often, in as many rows as they need."""
    counts = Counter(block.label or "" for block in regions)
    names = [(f"{label} ({counts[label]})", colours[label]) for label in colours if counts[label]]
    rows = _rows(names or [("no regions", (0, 0, 0))], page.width, font)
    height = _height(font)
    sheet = Image.new("RGB", (page.width, page.height + height * len(rows) + 8), "white")
    sheet.paste(page, (0, 0))
    pen = ImageDraw.Draw(sheet)
    pen.line((0, page.height, page.width, page.height), fill=(160, 160, 160))
    for row, entries in enumerate(rows):
        y = page.height + 6 + row * height
        for x, name, colour in entries:
            pen.rectangle((x, y + 2, x + height - 8, y + height - 6), fill=colour)
            pen.text((x + height, y), name, font=font, fill=(0, 0, 0))
    return sheet


def _rows(names: Sequence[tuple[str, Colour]], width: int, font: Font) -> list[list[tuple[int, str, Colour]]]:
    rows: list[list[tuple[int, str, Colour]]] = [[]]
    x = 8
    for name, colour in names:
        needed = _height(font) + round(font.getlength(name)) + 16
        if rows[-1] and x + needed > width:
            rows.append([])
            x = 8
        rows[-1].append((x, name, colour))
        x += needed
    return rows


def _height(font: Font) -> int:
    """Of a row of the legend, in pixels."""
    return round(font.getbbox("Ag")[3]) + 8


def _colour(place: int) -> Colour:
    name = COLOURS[place % len(COLOURS)]
    return int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16)
