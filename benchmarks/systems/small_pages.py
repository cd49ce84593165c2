"""Shrink the pages of a corpus once, so that the many short runs of a study do not each decode them at full size.

    distildoc corpus make runs/corpus --pages 6000 --seed 3
    python benchmarks/systems/small_pages.py runs/corpus runs/small-pages

Writes FOLDER/{train,val,test}/CLASS/PAGE.png, grey, 64 x 64 pixels.
"""

import argparse
import csv
from pathlib import Path

from PIL import Image

SIDE = 64  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path, help="new folder to write")
    given = parser.parse_args()
    with (given.corpus / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        target = given.folder / row["split"] / row["label"]
        target.mkdir(parents=True, exist_ok=True)
        image = given.corpus / row["path"]
        with Image.open(image) as page:
            page.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX).save(target / f"{image.stem}.png")
    print(f"{given.folder}: {len(rows)} pages")


if __name__ == "__main__":
    main()
