"""Layout in COCO form: a JSON file of `images`, `annotations` and `categories`, and a folder of images.

Boxes are [x, y, width, height] in pixels of the width and height that the file gives for the image. Pages that no
annotation names are pages without regions. Fields that are not needed, such as `segmentation`, are passed over.

An error: an image id or a file name that occurs twice, an image that is not there, an annotation of a category that the
file does not list, a field of the wrong type, a number that is not finite. Mended, counted and named: boxes that reach
outside their page (clipped), that lie outside it or have no area (dropped), that name an image the file does not list
(dropped: what is left when some images were taken out of a file).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast, Field, FiniteFloat, TypeAdapter

from distildoc.data.annotations import Repair, Repairs, check_present, inside, mended, read_annotations
from distildoc.data.pageset import PageSet
from distildoc.schema.errors import InputError, closest
from distildoc.schema.pages import Page, Region
from distildoc.schema.sources import image_page

Id = int | str
GROUP, DOCUMENT = "doc_category", "doc_name"  # as DocLayNet calls them


class CocoImage(BaseModel):
    """One image; other fields of the file are kept beside these."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Id
    file_name: str
    width: Annotated[int, Field(ge=1, le=1 << 20)]
    height: Annotated[int, Field(ge=1, le=1 << 20)]

    def more(self, name: str) -> object:
        """Another field of the image, None where it has none of that name."""
        return (self.model_extra or {}).get(name)


@dataclass(frozen=True, slots=True)
class CocoBox:
    """One annotation."""

    image_id: Id
    category_id: Id
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
    iscrowd: bool = False
    score: object = None  # read where it is asked for


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """One class."""

    id: Id
    name: str


@dataclass(frozen=True)
class CocoFile:
    """What a COCO file says."""

    images: Annotated[list[CocoImage], FailFast()]
    annotations: Annotated[list[CocoBox], FailFast()]
    categories: Annotated[list[CocoCategory], FailFast()]


@dataclass(frozen=True)
class Fields:
    """Names of the image fields that say more about a page, which images may lack; and whether boxes have a score."""

    group: str = GROUP
    document: str = DOCUMENT
    scores: bool = False


_FORM = TypeAdapter(CocoFile)


def read(
    *,
    path: str | Path,
    images: str | Path | None = None,
    group: str | None = None,
    document: str | None = None,
    scores: bool = False,
    repair: Repair = "mend",
) -> PageSet:
    """Pages of a COCO file, in its order; ids are the file names, classes the category names in the order of their ids.

    images    folder that the file names start from; None: the folder of the JSON file, or `images` in it.
    group     image field that holds the kind of document, for scores by group; None: `doc_category` where it is there.
    document  image field that names the document a page is from, so that `hold_out` keeps a document's pages together;
              None: `doc_name` where it is there.
    scores    every box has a `score`, and a region counts by it: what detectors found (`distildoc predict`), to learn
              from as soft labels. Off, all regions are certain.
    repair    "strict" makes errors of the faults that are otherwise mended.

    Raises InputError for the faults named above, and where no image has a field that was asked for.
    """
    file = Path(path)
    content = coco_file(file)
    for name in (group, document):
        if name is not None and all(image.more(name) is None for image in content.images):
            known = sorted({key for image in content.images for key in image.model_extra or {}})
            raise InputError(f"{file}: no image has the field '{name}'; {closest(name, known)}")
    folder = _image_folder(file, content.images) if images is None else Path(images)
    repairs = Repairs(str(file), repair)
    fields = Fields(group or GROUP, document or DOCUMENT, scores)
    return coco_pages(content, folder, repairs, fields=fields, name=f"{file.resolve().parent.name} {file.stem}")


def coco_file(path: Path) -> CocoFile:
    """The content of a COCO file, each entry well-formed; raises InputError where it is not, or holds ids twice."""
    content = read_annotations(path, _FORM, what="COCO file of a layout")
    _unique([image.id for image in content.images], f"{path}: image id")
    _unique([category.id for category in content.categories], f"{path}: category id")
    _unique([category.name for category in content.categories], f"{path}: category name")
    if not content.images or not content.categories:
        raise InputError(f"{path}: a COCO file of a layout lists `images` and `categories`, one of which is empty")
    return content


def coco_pages(
    content: CocoFile, folder: Path, repairs: Repairs, *, name: str, fields: Fields | None = None
) -> PageSet:
    """The page set of a COCO file whose images lie below `folder`; raises InputError as `read` does."""
    categories = sorted(content.categories, key=lambda category: (isinstance(category.id, str), category.id))
    names = {category.id: category.name for category in categories}
    fields = fields or Fields()
    found = _regions(content, names, repairs, scores=fields.scores)
    _unique([image.file_name for image in content.images], f"{repairs.file}: file name")
    for image in content.images:
        inside(image.file_name, f"{repairs.file}, image {image.id}")
    pages = [_page(image, found[image.id], folder, fields) for image in content.images]
    check_present(((page.id, folder / page.id) for page in pages), folder, repairs.file)
    return PageSet(tuple(pages), tuple(names.values()), name, repairs.lines())


def _regions(content: CocoFile, names: dict[Id, str], repairs: Repairs, *, scores: bool) -> dict[Id, list[Region]]:
    images = {image.id: image for image in content.images}
    found: dict[Id, list[Region]] = {id: [] for id in images}
    for annotation in content.annotations:
        image = images.get(annotation.image_id)
        if image is None:
            repairs.note("boxes of images that the file does not list", "dropped", f"of image id {annotation.image_id}")
            continue
        where = f"in image '{image.file_name}'"
        if annotation.category_id not in names:
            raise InputError(
                f"{repairs.file}: a box {where} has the category id {annotation.category_id}, which `categories` does "
                f"not list; {closest(str(annotation.category_id), map(str, names))}"
            )
        x, y, width, height = annotation.bbox
        box = mended((x, y, x + width, y + height), (image.width, image.height), repairs, where=where)
        if box is not None:
            score = _score(annotation.score, f"{repairs.file}: a box {where}") if scores else 1.0
            found[image.id].append(Region(names[annotation.category_id], box, annotation.iscrowd, score))
    if content.annotations and not {annotation.image_id for annotation in content.annotations} & set(images):
        raise InputError(
            f"{repairs.file}: no annotation belongs to a listed image: image_id is e.g. "
            f"{content.annotations[0].image_id!r}, ids of images e.g. {content.images[0].id!r}"
        )
    return found


def _score(value: object, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise InputError(
            f"{what} has the score {value!r}, and `scores` wants one above 0 and at most 1 with every box; leave "
            "`scores` off to take all boxes for certain"
        )
    return float(value)


def _page(image: CocoImage, regions: Sequence[Region], folder: Path, fields: Fields) -> Page:
    page = image_page(folder / image.file_name, id=image.file_name)
    group, document = image.more(fields.group), image.more(fields.document)
    return replace(
        page,
        regions=tuple(regions),
        size=(image.width, image.height),
        group=None if group is None else str(group),
        document=None if document is None else str(document),
    )


def _image_folder(file: Path, images: Sequence[CocoImage]) -> Path:
    first = inside(images[0].file_name, f"{file}, image {images[0].id}")
    beside = file.parent / "images"
    return beside if (beside / first).is_file() and not (file.parent / first).is_file() else file.parent


def _unique(values: Sequence[Id], what: str) -> None:
    repeated = [value for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise InputError(f"{what}s must be unique, but {len(repeated)} occur more than once, first '{repeated[0]}'")
