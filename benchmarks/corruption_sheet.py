"""A picture of every corruption at every severity, to look at, and what each costs.

    python benchmarks/corruption_sheet.py PAGE -o SHEET.png [--grey] [--height 300]

PAGE is an image of a page, such as one of `distildoc corpus make`. Rows are kinds, columns the clean page and
severities 1 to 5. The page is damaged at the size at which `exams.corruptions` does it, and shrunk afterwards.
"""

import argparse
import time
from pathlib import Path

from PIL import Image, ImageDraw

from distildoc.data.corruptions import KINDS, SEVERITIES, corrupted
from distildoc.data.corruptions.kept import sheet
from distildoc.schema.sources import image_page

GAP = 4  # pixels between pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--grey", action="store_true")
    parser.add_argument("--height", type=int, default=300, help="of one picture, pixels")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    page = image_page(options.page, id=options.page.name)
    clean = sheet(page, grey=options.grey)
    size = (round(clean.width * options.height / clean.height), options.height)
    shown = Image.new("RGB", ((size[0] + GAP) * (1 + len(SEVERITIES)), (size[1] + GAP) * len(options.kinds)), "black")
    for row, kind in enumerate(options.kinds):
        start = time.perf_counter()
        images = [corrupted(clean, kind, severity=s, seed=options.seed, page=page.id) for s in SEVERITIES]
        print(f"{kind:15} {1000 * (time.perf_counter() - start) / len(SEVERITIES):6.1f} ms a page")
        for column, image in enumerate((clean, *images)):
            small = image.convert("RGB").resize(size, Image.Resampling.BOX)
            ImageDraw.Draw(small).text((3, 3), f"{kind} {column}", fill=(255, 0, 0))
            shown.paste(small, (column * (size[0] + GAP), row * (size[1] + GAP)))
    shown.save(options.out)


if __name__ == "__main__":
    main()
