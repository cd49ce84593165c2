"""Pages of a run: which are trained on, which select, which test."""

from dataclasses import dataclass, replace
from pathlib import Path

from distildoc.data import data_module
from distildoc.data.imperfect import imbalanced, with_wrong_labels
from distildoc.data.pageset import PageSet, check_pages, hold_out, of_classes, per_class, relabel, write_ids
from distildoc.recipes.config import DataConfig, HoldOut, RunConfig, SourceConfig
from distildoc.recipes.screen import SILENT, Screen
from distildoc.recipes.settings import checked_settings
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.labels import LabelMap
from distildoc.schema.pages import FailedPage, Page
from distildoc.schema.taxonomies import taxonomy_map

SPLITS = ("data.train (or data.also, data.unlabelled)", "data.validation")  # where pages of the two come from


@dataclass(frozen=True)
class Splits:
    """What training sees: pages to learn from, pages to select on, and what had to be left out."""

    train: PageSet
    validation: PageSet
    failed: tuple[FailedPage, ...]


def listed_pages(data: DataConfig) -> tuple[PageSet, PageSet]:
    """Training and validation pages, mapped, the former cut and mislabelled as asked for; nothing is decoded."""
    pages = _read(data.train, data, "data.train")
    if isinstance(data.validation, HoldOut):
        rest, held = hold_out(pages, fraction=data.validation.hold_out, seed=data.validation.seed)
    else:
        rest, held = pages, _aligned(_read(data.validation, data, "data.validation"), pages.labels, "data.validation")
        _refuse_shared(held, rest, "data.validation", "data.train")
    if data.classes:
        held = of_classes(held, data.classes)
    if not len(held):
        raise InputError(f"{pages.name}: no page is left to select on; `data.validation` needs two pages of some class")
    if data.per_class is not None:
        rest = per_class(rest, data.per_class, seed=data.subset_seed)
    if data.classes:
        rest = of_classes(rest, data.classes)
    if data.imbalance is not None:
        rest = imbalanced(rest, data.imbalance.ratio, seed=data.imbalance.seed)
    if data.label_noise is not None:
        rest = with_wrong_labels(rest, data.label_noise.share, seed=data.label_noise.seed)
    if data.also is not None:
        rest = _with_others(rest, held, data)
    if data.unlabelled is not None:
        rest = _with_unlabelled(rest, held, data.unlabelled)
    return rest, held


def training_pages(data: DataConfig, screen: Screen = SILENT) -> Splits:
    """Training and validation pages, every one decoded once to find bad ones."""
    rest, held = listed_pages(data)
    total = len(rest) + len(held)
    with screen.bar("reading") as advance:
        train, bad_train = check_pages(rest, skip_bad=data.skip_bad, progress=lambda done: advance(done, total))
        validation, bad_validation = check_pages(
            held, skip_bad=data.skip_bad, progress=lambda done: advance(len(rest) + done, total)
        )
    return Splits(train, validation, (*bad_train, *bad_validation))


def test_pages(data: DataConfig, labels: tuple[str, ...]) -> PageSet:
    """Pages that are read once, at the end; raises InputError where the run names none, or pages it learns from."""
    if data.test is None:
        raise InputError("the run names no test pages: add `data.test`, or give a folder with --pages")
    pages = _aligned(_read(data.test, data, "data.test"), labels, "data.test")
    for seen, where in zip(listed_pages(data), SPLITS, strict=True):
        _refuse_shared(pages, seen, "data.test", where)
    return pages


def shifted_pages(config: RunConfig, labels: tuple[str, ...]) -> dict[str, PageSet]:
    """Other labelled pages to be examined on, by name; raises InputError as `test_pages` does."""
    found: dict[str, PageSet] = {}
    if config.exams is None:
        return found
    if config.data.test is None:
        raise ConfigError("exams: the run names no test pages to compare with; add `data.test`, or drop the exams")
    others = listed_pages(config.data) if config.exams.shifted else ()
    for name, source in config.exams.shifted.items():
        where = f"exams.shifted.{name}"
        found[name] = _aligned(_read(source, config.data, where), labels, where)
        for seen, elsewhere in zip(others, SPLITS, strict=True):
            _refuse_shared(found[name], seen, where, elsewhere)
    return found


def write_splits(splits: Splits, folder: Path) -> None:
    """Page ids of both splits, one a line, so that a run can be checked and repeated."""
    write_ids(splits.train, folder / "train_pages.txt")
    write_ids(splits.validation, folder / "validation_pages.txt")


def _read(source: SourceConfig, data: DataConfig, where: str) -> PageSet:
    pages = _listed(source, where)
    if where != "data.also" and any(region.score < 1 for page in pages.pages for region in page.regions or ()):
        raise InputError(
            f"{where}: {pages.name} has regions with a score below 1, which a detector found; what a run is scored on "
            "must be certain: name these pages under data.also, or read them without `scores`"
        )
    if data.labels.map is not None:
        pages = relabel(pages, taxonomy_map(data.labels.map, pages.labels))
    rename, drop = data.labels.rename, data.labels.drop
    if where != "data.train":  # other pages may lack a class that the map names; a misspelt one is found in training's
        rename = {old: new for old, new in rename.items() if old in pages.labels}
        drop = tuple(name for name in drop if name in pages.labels)
    return relabel(pages, LabelMap(rename, drop))


def _listed(source: SourceConfig, where: str) -> PageSet:
    """What the reader of a source gives."""
    read = data_module(source.kind).read
    pages: PageSet = read(**checked_settings(read, source.settings, where))
    return pages


def _with_others(pages: PageSet, held: PageSet, data: DataConfig) -> PageSet:
    """The training pages, and labelled ones from elsewhere; their ids start with `also/`."""
    assert data.also is not None
    found = _aligned(_read(data.also, data, "data.also"), pages.labels, "data.also")
    if all(page.label is None and page.regions is None for page in found.pages):
        raise InputError(f"data.also: no page of {found.name} has a label; name pages without labels `data.unlabelled`")
    if data.classes:
        found = of_classes(found, data.classes)
    _refuse_shared(found, pages, "data.also", "data.train", why="name a page once")
    _refuse_shared(found, held, "data.also", "data.validation")
    named = tuple(replace(page, id=f"also/{page.id}") for page in found.pages)
    name, repairs = f"{pages.name} and {found.name}", (*pages.repairs, *found.repairs)
    return replace(pages, pages=(*pages.pages, *named), name=name, repairs=repairs)


def _with_unlabelled(pages: PageSet, held: PageSet, source: SourceConfig) -> PageSet:
    """The training pages, and others whose labels are not looked at; their ids start with `unlabelled/`."""
    found = _listed(source, "data.unlabelled")
    _refuse_shared(found, held, "data.unlabelled", "data.validation")
    bare = tuple(replace(page, id=f"unlabelled/{page.id}", label=None, regions=None) for page in found.pages)
    return replace(pages, pages=(*pages.pages, *bare), name=f"{pages.name} and {len(bare)} unlabelled")


def _refuse_shared(
    pages: PageSet,
    others: PageSet,
    where: str,
    elsewhere: str,
    *,
    why: str = "a score on pages that were learnt from says nothing, name other pages",
) -> None:
    """Raises InputError where two splits share a page: the same page of the same file."""
    seen = {_place(page) for page in others.pages}
    shared = [page for page in pages.pages if _place(page) in seen]
    if shared:
        raise InputError(
            f"{where}: {len(shared)} of {len(pages)} pages also stand in {elsewhere}, first '{shared[0].id}'; {why}"
        )


def _place(page: Page) -> tuple[Path, int]:
    return Path(page.source).resolve(), page.number


def _aligned(pages: PageSet, labels: tuple[str, ...], where: str) -> PageSet:
    unknown = sorted(set(pages.labels) - set(labels))
    if unknown:
        raise InputError(
            f"{where}: classes {unknown} are not among the run's {list(labels)}; map them with `data.labels`"
        )
    return replace(pages, labels=labels)
